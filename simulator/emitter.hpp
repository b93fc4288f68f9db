// Writes server events: type and event_id in front, as the provider does, then the event's own
// fields. One thread.
#pragma once

#include <nlohmann/json.hpp>
#include <string>
#include <string_view>

#include "simulator/ids.hpp"
#include "simulator/outgoing.hpp"

namespace verbatim::simulator {

/// Keeps the order of keys: readers of the wire expect `type` in front.
using Json = nlohmann::ordered_json;

/// What is wrong with a client's event.
struct ClientFault {
  std::string code;
  std::string message;
  std::string param;  ///< the field at fault; empty: null
};
ClientFault missing_parameter(const std::string& param);

class Emitter {
 public:
  Emitter(Outgoing& outgoing, Ids& ids) : outgoing_(outgoing), ids_(ids) {}

  /// Precondition: `fields` is an object (or null for none) of valid UTF-8.
  void send(std::string_view type, const Json& fields = {});

  /// Names the client's event only if that had an id.
  void error(const ClientFault& fault, const std::string& client_event_id);

  /// A delta of audio: long, frequent, and nothing in it needs escaping, so no tree is built.
  void audio_delta(const std::string& response_id, const std::string& item_id,
                   std::string_view bytes);

  Ids& ids() { return ids_; }

 private:
  Outgoing& outgoing_;
  Ids& ids_;
};

}  // namespace verbatim::simulator
