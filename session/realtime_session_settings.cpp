// The session's settings: the relay's own requests to the provider, which the client does not see,
// and what a client sees of the settings in force. Part of RealtimeSession, on its thread.
#include <utility>

#include "session/protocol/message_kind.hpp"
#include "session/realtime_session.hpp"
#include "session/relay_events.hpp"

namespace verbatim::session {

namespace {

using Purpose = SettingsRequests::Purpose;

/// How long the session is not shown to the client until the provider accepts the token's
/// configuration, so that it shows the session that the token sets. The answer usually takes one
/// round trip.
constexpr std::int64_t configuration_pause_ms = 2'000;

}  // namespace

// ---- The relay's requests ----

std::string_view RealtimeSession::transcription_model() const {
  return options_.input_transcription ? std::string_view(options_.transcription_model)
                                      : std::string_view();
}

void RealtimeSession::request_settings(std::string update, Purpose purpose) {
  const auto message =
      std::make_shared<const protocol::Message>(protocol::own_message(std::move(update)));
  settings_requests_.queued(message, purpose, facts_in(message->bytes));
  // A token's configuration goes before every client message.
  if (purpose == Purpose::transcription) {
    upstream_.push(message, 0);
  } else {
    upstream_.push_first(message);
  }
}

void RealtimeSession::request_configuration() {
  std::string update = provider().configure(options_.session_config_json, transcription_model(),
                                            type(), configure_event_id);
  if (update.empty()) return;
  holds_created_ = binds_settings(options_.session_config_json);
  request_settings(std::move(update), Purpose::configuration);
}

void RealtimeSession::request_transcription() {
  if (!options_.input_transcription || transcription_refused_ || settings_requests_.has_own())
    return;
  request_settings(
      provider().transcribe(options_.transcription_model, type(), transcription_event_id),
      Purpose::transcription);
}

/// After a refusal, asks for less. First the token's settings are sent without the relay's
/// addition; if those are refused too, the addition alone.
void RealtimeSession::request_less(Purpose refused) {
  const bool bound = binds_settings(options_.session_config_json);
  if (refused == Purpose::transcription || !bound) {
    transcription_refused_ = true;
  } else if (refused == Purpose::configuration && !transcription_model().empty()) {
    request_settings(
        provider().configure(options_.session_config_json, {}, type(), configure_event_id),
        Purpose::bare_configuration);
  } else {
    holds_created_ = false;
    release_created();
    request_transcription();
  }
}

// ---- The provider's answers ----

/// True if the event answers a request of the relay; no client gets it then.
bool RealtimeSession::answers_relay(const transcript::Event& event,
                                    const protocol::Message& message, Moment now) {
  if (const auto* configured = std::get_if<transcript::SessionConfigured>(&event.body)) {
    const auto request = settings_requests_.answered(facts_in(message.bytes).transcription_model);
    if (!request) return false;
    if (request->transcription) settings_.hide_transcription(!*request->transcription);
    if (!request->own()) return false;
    const bool asked_for = request->purpose != Purpose::bare_configuration;
    if (asked_for && !configured->transcription_on && options_.input_transcription)
      transcription_refused_ = true;
    if (request->purpose != Purpose::transcription) {
      holds_created_ = false;
      release_created(message.bytes);
    }
    return true;
  }
  const auto* error = std::get_if<transcript::ProviderError>(&event.body);
  return error != nullptr && refuses_relay(*error, message, now);
}

bool RealtimeSession::refuses_relay(const transcript::ProviderError& error,
                                    const protocol::Message& message, Moment now) {
  // Before it has shown its session, the provider refuses the connection and not a request.
  if (settings_.empty() && error.client_event_id.empty()) return false;
  const auto request = settings_requests_.refused(provider().error_answer(message.bytes));
  if (request && !request->own()) {
    if (error.client_event_id.empty()) unanswered_.settings_refused();
    if (settings_requests_.empty() && !transcription_on_) request_transcription();
    return false;
  }
  if (!request && !is_own_request(error.client_event_id)) return false;
  ++counts_.own_requests_refused;
  note(Change::counts);
  refused_code_ = error.code.empty() ? error.type : error.code;
  if (!request) return true;
  request_less(request->purpose);
  if (held_created_) held_created_->until_ms = now.mono_ms + configuration_pause_ms;
  return true;
}

void RealtimeSession::configuration_seen(bool transcription_on) {
  transcription_on_ = transcription_on;
  if (transcription_on) transcription_refused_ = false;
  if (!transcription_on && settings_requests_.empty()) request_transcription();
}

// ---- The client's view ----

/// True if the client must not get a message of this type, because it wants no transcription.
bool RealtimeSession::is_hidden(std::string_view type) const {
  return settings_.hides_transcription() &&
         provider().shows(type) == protocol::Shows::input_transcription;
}

/// Removes from a message that shows the session what the client may not see.
void RealtimeSession::hide_from_client(protocol::Message& message) const {
  if (auto allowed = settings_.without_transcription(message.bytes, provider()))
    message.bytes = *std::move(allowed);
  const std::string_view type = provider().peek_server(message.bytes).type;
  if (auto allowed = policy_.without_hidden(type, message.bytes))
    message.bytes = *std::move(allowed);
}

/// Holds the message that shows the session until the provider has accepted the token's settings.
void RealtimeSession::hold_created(protocol::Message message, transcript::Sequence needs,
                                   Moment now) {
  holds_created_ = false;
  held_created_ = HeldCreated{std::move(message), needs, now.mono_ms + configuration_pause_ms};
  note(Change::deadline);
}

/// `in_force`: a message with the session to show; empty: the held message shows its own.
void RealtimeSession::release_created(std::string_view in_force) {
  if (!held_created_) return;
  HeldCreated held = *std::exchange(held_created_, std::nullopt);
  const std::string_view session = provider().session_in(in_force);
  if (session.starts_with('{'))
    held.message.bytes = provider().with_session(held.message.bytes, session);
  hide_from_client(held.message);
  client_.answer(std::move(held.message), held.needs);
}

}  // namespace verbatim::session
