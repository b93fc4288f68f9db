// Writes server events: type and event_id first, as the provider does, then the event's own fields.
// Uses the spelling of the profile, and leaves out fields as the faults demand. One thread.
#pragma once

#include <memory>
#include <string>
#include <string_view>
#include <vector>

#include "base/json/tree.hpp"
#include "simulator/faults.hpp"
#include "simulator/ids.hpp"
#include "simulator/outgoing.hpp"
#include "simulator/profile.hpp"
#include "simulator/random.hpp"
#include "simulator/spelling.hpp"

namespace verbatim::simulator {

/// An error in a client's event.
struct ClientFault {
  std::string code;
  std::string message;
  std::string param;  ///< the field with the error; empty is sent as null
};
ClientFault missing_parameter(const std::string& param);

class Emitter {
 public:
  Emitter(Outgoing& outgoing, Ids& ids, const Profile& profile, const Faults& faults,
          std::uint64_t seed);

  /// Precondition: `fields` is an object (or null for none) of valid UTF-8.
  void send(std::string_view type, const OrderedJson& fields = {});

  /// Names the client's event if the event had an id.
  void error(const ClientFault& fault, const std::string& client_event_id);

  /// A delta of audio. Builds no JSON tree, because deltas are long and frequent and need no
  /// escaping.
  void audio_delta(const std::string& response_id, const std::string& item_id,
                   std::size_t output_index, std::string_view bytes);

  Ids& ids() { return ids_; }

 private:
  void leave_out(OrderedJson& event);

  Outgoing& outgoing_;
  Ids& ids_;
  Faults faults_;
  Random random_;
  bool plain_;  ///< audio deltas need no tree: OpenAI's spelling, complete and plain ids
  std::unique_ptr<Spelling> spelling_;
  std::vector<OrderedJson> spelled_;  // reused to avoid allocations
};

}  // namespace verbatim::simulator
