// The answers that the provider has begun and not ended, as it announced them. If the upstream
// connection is lost, they are ended in the provider's place; a returning client gets their text so
// far. The text itself is in the transcript.
//
// Made by a ProviderDialect; part of a RealtimeSession, on its thread. Untrusted input: never
// throws on it.
#pragma once

#include <functional>
#include <string>
#include <string_view>
#include <vector>

#include "session/transcript/transcript.hpp"

namespace verbatim::protocol {

/// Returns the event_id for the next event that the relay writes.
using EventIds = std::function<std::string()>;

class OpenAnswers {
 public:
  virtual ~OpenAnswers() = default;

  /// Takes a provider message that goes to the client. `type`: ServerMessage::type.
  virtual void see(std::string_view type, std::string_view message) = 0;
  /// The upstream connection has ended: forgets its answers.
  virtual void clear() = 0;

  /// Each open answer as it was announced, with its text so far as one delta for each part. The
  /// provider's next delta then continues it.
  ///
  /// - `transcript`: has the text, and answers that were not announced.
  /// - `spoken`: an answer of unknown form counts as speech.
  /// - `next_event_id`: makes the event_ids.
  virtual std::vector<std::string> so_far(const transcript::Transcript& transcript, bool spoken,
                                          const EventIds& next_event_id) const = 0;
  /// All events that end each open answer, as incomplete because of a lost connection. Parameters
  /// as for so_far().
  virtual std::vector<std::string> cut_off(const transcript::Transcript& transcript, bool spoken,
                                           const EventIds& next_event_id) const = 0;
};

}  // namespace verbatim::protocol
