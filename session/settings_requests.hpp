// Updates of the settings without an answer yet, the client's and the relay's own, in the order in
// which the provider gets them.
//
// An answer does not name the request that it answers, and an error may not either. The provider
// answers in order, so the order decides. An answer to the relay must not reach the
// client; an answer to the client must.
//
// Pure; part of a RealtimeSession, on its thread.
#pragma once

#include <cstdint>
#include <deque>
#include <optional>
#include <string>

#include "session/protocol/message.hpp"
#include "session/protocol/provider_dialect.hpp"

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
    protocol::MessagePtr message;
    Purpose purpose = Purpose::client;
    std::string event_id;
    /// For a client's request: whether it asks for transcription events; nullopt: it does not say.
    std::optional<bool> transcription;
    std::string transcription_model;
    bool sent = false;

    bool own() const { return purpose != Purpose::client; }
  };

  /// The update was queued for the provider. `asks`: the settings that it asks for.
  void queued(const protocol::MessagePtr& message, Purpose purpose,
              const protocol::SessionFacts& asks);
  /// A message has been written to the provider; it need not be an update.
  void sent(const protocol::MessagePtr& message);
  /// Takes the request that is answered by a session with this transcription model; nullopt: it
  /// answers none.
  std::optional<Request> answered(const std::string& transcription_model);
  /// Takes the request that this error refuses; nullopt: the error is about something else.
  std::optional<Request> refused(const protocol::ErrorAnswer& error);
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

}  // namespace verbatim::session
