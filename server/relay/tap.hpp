// Listens to one conversation's messages as they pass the relay: the traffic capture, or a
// recorder.
//
// A tap lives on its conversation's thread, from the start of the attempt to its end, and must
// never block it or throw. A message is only lent: it goes on to its peer unchanged.
#pragma once

#include <memory>
#include <string>
#include <vector>

#include "base/clock.hpp"
#include "server/net/peer.hpp"
#include "session/protocol/message.hpp"
#include "session/protocol/recording.hpp"
#include "session/protocol/secret_filter.hpp"

namespace verbatim::relay {

class Tap {
 public:
  virtual ~Tap() = default;
  /// A message of the client (`to_server`) or of the provider (`to_client`), before the session
  /// gets it. Audio is among them, in the protocol's JSON. `frame`: how it came.
  virtual void on_message(protocol::Direction direction, const protocol::Message& message,
                          net::FrameType frame, Moment now) = 0;
};

/// The conversation that a tap is for.
struct TappedConversation {
  std::string session_id;
  int attempt_number = 1;
  TimeMs started_at = 0;
  std::shared_ptr<const protocol::SecretFilter> secrets;  ///< null: no secrets to remove
};

/// Gives each conversation its tap. The wiring has a list of them. Any thread.
class TapSource {
 public:
  virtual ~TapSource() = default;
  /// Null: it does not listen to this conversation.
  virtual std::unique_ptr<Tap> tap(const TappedConversation& conversation) = 0;
};

using TapSources = std::vector<TapSource*>;
using Taps = std::vector<std::unique_ptr<Tap>>;

}  // namespace verbatim::relay
