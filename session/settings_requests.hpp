// session.update messages without an answer yet, the client's and the relay's own, in the order in
// which the provider gets them.
//
// A session.updated does not name the request that it answers, and an error may not either. The
// provider answers in order, so the order decides. An answer to the relay must not reach the
// client; an answer to the client must.
//
// Pure; part of a RealtimeSession, on its thread.
#pragma once

#include <cstdint>
#include <deque>
#include <optional>
#include <string>
#include <string_view>

#include "session/protocol/message.hpp"

namespace verbatim::session {

class SettingsRequests {
 public:
  /// Why the update was sent.
  enum class Purpose : std::uint8_t {
    client,              ///< the client's own request
    configuration,       ///< the token's settings, plus what the relay adds
    bare_configuration,  ///< the token's settings alone, after a refusal
    transcription,       ///< switches input transcription on
  };
  struct Request {
    MessagePtr message;
    Purpose purpose = Purpose::client;
    std::string event_id;
    /// For a client's request: whether it wants transcription events; nullopt: it does not say.
    std::optional<bool> transcription;
    bool sent = false;

    bool own() const { return purpose != Purpose::client; }
  };

  /// The update was queued for the provider.
  void queued(const MessagePtr& message, Purpose purpose);
  /// A message has been written to the provider; it need not be a session.update.
  void sent(const MessagePtr& message);
  /// Takes the request that this session.updated answers; nullopt: it answers none.
  std::optional<Request> answered(std::string_view updated);
  /// Takes the request that this error refuses; nullopt: the error is about something else.
  std::optional<Request> refused(std::string_view error_message);
  /// Drops the requests that were sent on the lost connection.
  void connection_lost();

  bool empty() const { return requests_.empty(); }
  bool has_own() const;

 private:
  /// Above this count the oldest is dropped; its answer is then taken for the next one's.
  static constexpr std::size_t count_max = 256;

  std::optional<Request> take(std::deque<Request>::iterator which);

  std::deque<Request> requests_;  ///< sent requests first, in the order of sending
};

/// Reads from a session object whether input transcription is wanted: false if it is null, true for
/// any other value, nullopt if the member is absent. Takes the GA and the beta shape, from a token
/// or a client's update.
std::optional<bool> wants_transcription(std::string_view session_json);

}  // namespace verbatim::session
