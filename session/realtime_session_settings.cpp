// The session's settings: the relay's own requests to the provider, which the client does not see,
// and what a client sees of the settings in force. Part of RealtimeSession, on its thread.
#include <utility>

#include "base/json/view.hpp"
#include "base/json/writer.hpp"
#include "session/protocol/message_kind.hpp"
#include "session/realtime_session.hpp"
#include "session/relay_events.hpp"

namespace verbatim::session {

namespace {

using Purpose = SettingsRequests::Purpose;

/// How long session.created waits until the provider accepts the token's configuration, so that it
/// shows the session that the token sets. The answer usually takes one round trip.
constexpr std::int64_t configuration_pause_ms = 2'000;

/// session.created with its session replaced by another message's; all other members stay.
std::string with_session(std::string_view created, json::View session) {
  json::ObjectWriter out;
  for (json::Members members(json::View::of(created)); members.next();)
    out.add(members.key(), members.key() == "session" ? session.raw() : members.value().raw());
  return out.text();
}

}  // namespace

// ---- The relay's requests ----

std::string_view RealtimeSession::transcription_model() const {
  return options_.input_transcription ? std::string_view(options_.transcription_model)
                                      : std::string_view();
}

void RealtimeSession::request_settings(std::string update, Purpose purpose) {
  const auto message = std::make_shared<const Message>(own_message(std::move(update)));
  settings_requests_.queued(message, purpose);
  // A token's configuration goes before every client message.
  if (purpose == Purpose::transcription) {
    upstream_.push(message, 0);
  } else {
    upstream_.push_first(message);
  }
}

void RealtimeSession::request_configuration() {
  std::string update =
      configuration_update(options_.session_config_json, transcription_model(), type());
  if (update.empty()) return;
  holds_created_ = binds_settings(options_.session_config_json);
  request_settings(std::move(update), Purpose::configuration);
}

void RealtimeSession::request_transcription() {
  if (!options_.input_transcription || transcription_refused_ || settings_requests_.has_own())
    return;
  request_settings(transcription_update(options_.transcription_model, type()),
                   Purpose::transcription);
}

/// After a refusal, asks for less. First the token's settings are sent without the relay's
/// addition; if those are refused too, the addition alone.
void RealtimeSession::request_less(Purpose refused) {
  const bool bound = binds_settings(options_.session_config_json);
  if (refused == Purpose::transcription || !bound) {
    transcription_refused_ = true;
  } else if (refused == Purpose::configuration && !transcription_model().empty()) {
    request_settings(configuration_update(options_.session_config_json, {}, type()),
                     Purpose::bare_configuration);
  } else {
    holds_created_ = false;
    release_created();
    request_transcription();
  }
}

// ---- The provider's answers ----

/// True if the event answers a request of the relay; no client gets it then.
bool RealtimeSession::answers_relay(const Event& event, const Message& message, Moment now) {
  if (const auto* configured = std::get_if<SessionConfigured>(&event.body)) {
    const auto request = settings_requests_.answered(message.bytes);
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
  const auto* error = std::get_if<ProviderError>(&event.body);
  return error != nullptr && refuses_relay(*error, message, now);
}

bool RealtimeSession::refuses_relay(const ProviderError& error, const Message& message,
                                    Moment now) {
  // Before its session.created, the provider refuses the connection and not a request.
  if (settings_.empty() && error.client_event_id.empty()) return false;
  const auto request = settings_requests_.refused(message.bytes);
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

// ---- What a client sees ----

/// True if the client must not get a message of this type, because it wants no transcription.
bool RealtimeSession::is_hidden(std::string_view type) const {
  return settings_.hides_transcription() &&
         type.starts_with("conversation.item.input_audio_transcription.");
}

/// Removes from a message that shows the session what the client may not see.
void RealtimeSession::veil(Message& message) const {
  if (auto veiled = settings_.without_transcription(message.bytes))
    message.bytes = *std::move(veiled);
  if (auto veiled = policy_.without_hidden(peek_type(message.bytes), message.bytes))
    message.bytes = *std::move(veiled);
}

/// Holds session.created until the provider has accepted the token's settings.
void RealtimeSession::hold_created(Message message, Sequence needs, Moment now) {
  holds_created_ = false;
  held_created_ = HeldCreated{std::move(message), needs, now.mono_ms + configuration_pause_ms};
  note(Change::deadline);
}

/// `in_force`: a message with the session to show; empty: session.created shows its own.
void RealtimeSession::release_created(std::string_view in_force) {
  if (!held_created_) return;
  HeldCreated held = *std::exchange(held_created_, std::nullopt);
  const json::View session = json::View::of(in_force)["session"];
  if (session.is(json::Kind::object))
    held.message.bytes = with_session(held.message.bytes, session);
  veil(held.message);
  client_.answer(std::move(held.message), held.needs);
}

}  // namespace verbatim::session
