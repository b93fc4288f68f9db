// session.update messages that have no answer yet, the client's and the relay's own, in the order
// in which the provider gets them. A session.updated does not say which of them it answers, and an
// error need not; but the provider answers in order. What answers the relay must not reach the
// client, and the client must get what answers it.
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
  /// Why it was sent.
  enum class Purpose : std::uint8_t {
    client,              ///< the client's own
    configuration,       ///< bound to the token, with what the relay adds
    bare_configuration,  ///< the same without that, after a refusal
    transcription,       ///< input transcription switched on
  };
  struct Request {
    MessagePtr message;
    Purpose purpose = Purpose::client;
    std::string event_id;
    /// A client's: whether it wants transcription events; nullopt: it does not say.
    std::optional<bool> transcription;
    bool sent = false;

    bool own() const { return purpose != Purpose::client; }
  };

  /// It waits to be sent.
  void queued(const MessagePtr& message, Purpose purpose);
  /// Some message has left for the provider.
  void sent(const MessagePtr& message);
  /// A session.updated has come: the request that it answers; nullopt: it answers none.
  std::optional<Request> answered(std::string_view updated);
  /// An error has come: the request that it refuses; nullopt: it is about something else.
  std::optional<Request> refused(std::string_view error_message);
  /// What was sent is lost with its connection.
  void connection_lost();

  bool empty() const { return requests_.empty(); }
  bool has_own() const;

 private:
  /// Beyond this the oldest is forgotten: its answer is then taken for the next one's.
  static constexpr std::size_t count_max = 256;

  std::optional<Request> take(std::deque<Request>::iterator which);

  std::deque<Request> requests_;  ///< those that were sent first, in that order
};

/// What a session object (GA's or beta's, of a token or a client's update) says of input
/// transcription: false if it is null, true if it is anything else, nullopt if it says nothing.
std::optional<bool> wants_transcription(std::string_view session_json);

}  // namespace verbatim::session
