#include "session/settings_dialogue.hpp"

#include <memory>

#include "session/protocol/message_kind.hpp"
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

std::string_view SettingsDialogue::transcription_model() const {
  return wishes_.input_transcription ? std::string_view(wishes_.transcription_model)
                                     : std::string_view();
}

void SettingsDialogue::request(std::string update, Purpose purpose) {
  const auto message =
      std::make_shared<const protocol::Message>(protocol::own_message(std::move(update)));
  state_.requests.queued(message, purpose, facts_in(message->bytes));
  // A token's configuration goes before every client message.
  if (purpose == Purpose::transcription) {
    session_.upstream.push(message, 0);
  } else {
    session_.upstream.push_first(message);
  }
}

void SettingsDialogue::request_configuration() {
  std::string update = session_.provider.configure(wishes_.configuration, transcription_model(),
                                                   type(), configure_event_id);
  if (update.empty()) return;
  state_.holds_created = binds_settings(wishes_.configuration);
  request(std::move(update), Purpose::configuration);
}

void SettingsDialogue::request_transcription() {
  if (!wishes_.input_transcription || state_.transcription_refused || state_.requests.has_own())
    return;
  request(session_.provider.transcribe(wishes_.transcription_model, type(), transcription_event_id),
          Purpose::transcription);
}

/// After a refusal, asks for less. First the token's settings are sent without the relay's
/// addition; if those are refused too, the addition alone.
void SettingsDialogue::request_less(Purpose refused) {
  const bool bound = binds_settings(wishes_.configuration);
  if (refused == Purpose::transcription || !bound) {
    state_.transcription_refused = true;
  } else if (refused == Purpose::configuration && !transcription_model().empty()) {
    request(session_.provider.configure(wishes_.configuration, {}, type(), configure_event_id),
            Purpose::bare_configuration);
  } else {
    state_.holds_created = false;
    release_created();
    request_transcription();
  }
}

void SettingsDialogue::start_over() {
  state_.held_created.reset();
  state_.holds_created = false;
  state_.requests = {};
  state_.transcription_on = state_.transcription_refused = false;
}

// ---- The provider's answers ----

SettingsDialogue::Addressee SettingsDialogue::addressee(const transcript::Event& event,
                                                        const protocol::Message& message,
                                                        Moment now) {
  if (const auto* configured = std::get_if<transcript::SessionConfigured>(&event.body))
    return answered(*configured, message);
  if (const auto* error = std::get_if<transcript::ProviderError>(&event.body))
    return refused(*error, message, now);
  return Addressee::client;
}

SettingsDialogue::Addressee SettingsDialogue::answered(
    const transcript::SessionConfigured& configured, const protocol::Message& message) {
  const auto request = state_.requests.answered(facts_in(message.bytes).transcription_model);
  if (!request) return Addressee::client;
  if (request->transcription) session_.settings.hide_transcription(!*request->transcription);
  if (!request->own()) return Addressee::client;
  const bool asked_for = request->purpose != Purpose::bare_configuration;
  if (asked_for && !configured.transcription_on && wishes_.input_transcription)
    state_.transcription_refused = true;
  if (request->purpose != Purpose::transcription) {
    state_.holds_created = false;
    release_created(message.bytes);
  }
  return Addressee::relay;
}

SettingsDialogue::Addressee SettingsDialogue::refused(const transcript::ProviderError& error,
                                                      const protocol::Message& message,
                                                      Moment now) {
  // Before it has shown its session, the provider refuses the connection and not a request.
  if (session_.settings.empty() && error.client_event_id.empty()) return Addressee::client;
  const auto request = state_.requests.refused(session_.provider.error_answer(message.bytes));
  if (request && !request->own()) {
    if (error.client_event_id.empty()) session_.unanswered.settings_refused();
    if (state_.requests.empty() && !state_.transcription_on) request_transcription();
    return Addressee::client;
  }
  if (!request && !is_own_request(error.client_event_id)) return Addressee::client;
  state_.refused_code = error.code.empty() ? error.type : error.code;
  if (!request) return Addressee::relay_refused;
  request_less(request->purpose);
  if (state_.held_created) state_.held_created->until_ms = now.mono_ms + configuration_pause_ms;
  return Addressee::relay_refused;
}

void SettingsDialogue::transcription_seen(bool on) {
  state_.transcription_on = on;
  if (on) state_.transcription_refused = false;
  if (!on && state_.requests.empty()) request_transcription();
}

// ---- The client's view ----

bool SettingsDialogue::is_hidden(std::string_view type) const {
  return session_.settings.hides_transcription() &&
         session_.provider.shows(type) == protocol::Shows::input_transcription;
}

void SettingsDialogue::hide_from_client(protocol::Message& message) const {
  if (auto allowed = session_.settings.without_transcription(message.bytes, session_.provider))
    message.bytes = *std::move(allowed);
  const std::string_view type = session_.provider.peek_server(message.bytes).type;
  if (auto allowed = session_.policy.without_hidden(type, message.bytes))
    message.bytes = *std::move(allowed);
}

void SettingsDialogue::hold_created(protocol::Message message, transcript::Sequence needs,
                                    Moment now) {
  state_.holds_created = false;
  state_.held_created =
      HeldCreated{std::move(message), needs, now.mono_ms + configuration_pause_ms};
  state_.changes |= Change::deadline;
}

void SettingsDialogue::release_created(std::string_view in_force) {
  if (!state_.held_created) return;
  HeldCreated held = *std::exchange(state_.held_created, std::nullopt);
  const std::string_view session = session_.provider.session_in(in_force);
  if (session.starts_with('{'))
    held.message.bytes = session_.provider.with_session(held.message.bytes, session);
  hide_from_client(held.message);
  session_.client.answer(std::move(held.message), held.needs);
}

}  // namespace verbatim::session
