// The relay's own requests for settings, and the messages about settings that a client sees. The
// relay sends the settings of the client's token, and switches input transcription on. The client
// sees neither these requests nor their answers.
//
// Part of a RealtimeSession, on its thread. It queues messages on the session's two links. It
// refers to parts of the session, so it is made for one call.
#pragma once

#include <cstdint>
#include <limits>
#include <optional>
#include <string>
#include <string_view>
#include <utility>

#include "base/clock.hpp"
#include "session/changes.hpp"
#include "session/client_link.hpp"
#include "session/pending_requests.hpp"
#include "session/policy/policy.hpp"
#include "session/protocol/message.hpp"
#include "session/protocol/provider_dialect.hpp"
#include "session/protocol/session_settings.hpp"
#include "session/settings_requests.hpp"
#include "session/transcript/event.hpp"
#include "session/transcript/journal.hpp"
#include "session/upstream_link.hpp"

namespace verbatim::session {

class SettingsDialogue {
 public:
  struct HeldCreated {
    protocol::Message message;
    transcript::Sequence needs;
    std::int64_t until_ms;
  };
  /// Between two calls.
  struct State {
    bool transcribes = false;  ///< it is a transcription session
    SettingsRequests requests;
    bool transcription_on = false;  ///< as the provider has shown it
    /// requested, and the provider left it off: do not request again
    bool transcription_refused = false;
    bool holds_created = false;  ///< session.created waits for the token's settings
    std::optional<HeldCreated> held_created;
    std::string refused_code;  ///< the provider's, for the last refused request of the relay
    Changes changes;

    std::int64_t next_deadline_ms() const {
      return held_created ? held_created->until_ms : std::numeric_limits<std::int64_t>::max();
    }
    Changes take_changes() { return std::exchange(changes, Changes()); }
  };
  /// The parts of the session that it uses.
  struct Session {
    const protocol::ProviderDialect& provider;
    protocol::SessionSettings& settings;  ///< that the provider has shown
    UpstreamLink& upstream;
    ClientLink& client;
    const policy::Policy& policy;
    Unanswered& unanswered;
  };
  /// The settings that the relay sends.
  struct Wishes {
    const std::string& configuration;  ///< of the client's token; may be empty
    const std::string& transcription_model;
    bool input_transcription = false;
  };
  /// `state`: kept from call to call.
  SettingsDialogue(State& state, Session session, Wishes wishes)
      : state_(state), session_(session), wishes_(wishes) {}

  // --- Requests ---
  /// The client's own update was queued. `asks`: the settings that it asks for.
  void client_asked(const protocol::MessagePtr& message, const protocol::SessionFacts& asks) {
    state_.requests.queued(message, SettingsRequests::Purpose::client, asks);
  }
  /// Sends the token's settings on a connection that is new.
  void request_configuration();
  /// Speech begins: transcription must be on, however earlier requests were answered.
  void speech_began() {
    if (!state_.transcription_on) request_transcription();
  }
  /// A first connection follows, as if there had been none.
  void start_over();

  // --- The provider's answers ---
  enum class Addressee {
    client,
    relay,         ///< the event answers a request of the relay
    relay_refused  ///< the same, and refuses it
  };
  Addressee addressee(const transcript::Event& event, const protocol::Message& message, Moment now);
  /// The provider has shown whether it transcribes what the user says; asks for it if it does not.
  void transcription_seen(bool on);

  // --- The client's view ---
  /// The client must not get a message of this type, because it wants no transcription.
  bool is_hidden(std::string_view type) const;
  /// Removes from a message that shows the session what the client may not see.
  void hide_from_client(protocol::Message& message) const;
  /// Holds the message that shows the session until the provider has accepted the token's settings.
  void hold_created(protocol::Message message, transcript::Sequence needs, Moment now);
  /// Sends the held message, if there is one. `in_force`: a message with the session to show;
  /// empty: the held message shows its own.
  void release_created(std::string_view in_force = {});
  void time_passed(Moment now) {
    if (now.mono_ms >= state_.next_deadline_ms()) release_created();
  }

 private:
  protocol::SessionType type() const {
    return state_.transcribes ? protocol::SessionType::transcription
                              : protocol::SessionType::realtime;
  }
  protocol::SessionFacts facts_in(std::string_view message) const {
    return session_.provider.read_session(session_.provider.session_in(message));
  }
  std::string_view transcription_model() const;
  void request(std::string update, SettingsRequests::Purpose purpose);
  void request_transcription();
  void request_less(SettingsRequests::Purpose refused);
  Addressee answered(const transcript::SessionConfigured& configured,
                     const protocol::Message& message);
  Addressee refused(const transcript::ProviderError& error, const protocol::Message& message,
                    Moment now);

  State& state_;
  Session session_;
  Wishes wishes_;
};

}  // namespace verbatim::session
