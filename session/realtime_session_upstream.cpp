// The provider's side of a session: its messages, and what happens when an upstream connection is
// lost or is about to end. Part of RealtimeSession, on its thread.
#include <algorithm>
#include <utility>

#include "session/protocol/message_kind.hpp"
#include "session/realtime_session.hpp"
#include "session/relay_events.hpp"

namespace verbatim::session {

namespace {

/// Removes the fields that policy hides from the client.
void hide_fields(const policy::Policy& policy, protocol::Message& message) {
  if (auto shown = policy.without_hidden({}, message.bytes)) message.bytes = *std::move(shown);
}

/// Whether the session in force transcribes what the user says; nullopt: the event shows none.
std::optional<bool> transcription_in(const transcript::Event& event) {
  if (const auto* opened = std::get_if<transcript::UpstreamOpened>(&event.body))
    return opened->transcription_on;
  if (const auto* configured = std::get_if<transcript::SessionConfigured>(&event.body))
    return configured->transcription_on;
  return std::nullopt;
}

}  // namespace

// ---- Upstream connections ----

std::optional<UpstreamId> RealtimeSession::take_dial(Moment now) {
  if (ended()) return std::nullopt;
  return upstream_.take_dial(now, is_silent(), /*takes_items=*/!transcribes());
}

bool RealtimeSession::wants_dial(Moment now) const {
  return !ended() && upstream_.wants_dial(now, is_silent());
}

protocol::MessagePtr RealtimeSession::take_for(UpstreamId upstream) {
  auto [message, of_conversation] =
      upstream_.take(upstream, journal_.durable(), transcript_, journal_.last());
  if (of_conversation && !unanswered_.empty()) unanswered_.sent(message);
  if (of_conversation && !dialogue_.requests.empty()) dialogue_.requests.sent(message);
  return std::move(message);
}

Changes RealtimeSession::upstream_opened(UpstreamId upstream, Moment now) {
  if (ended()) return take_changes();
  upstream_.opened(upstream, now);
  if (upstream_.is_current(upstream)) dialogue().request_configuration();
  return take_changes();
}

Changes RealtimeSession::upstream_said(UpstreamId upstream, protocol::Message message, Moment now) {
  if (ended()) return take_changes();
  if (upstream_.is_next(upstream)) {
    next_said(message, now);
  } else if (upstream_.is_current(upstream)) {
    current_said(std::move(message), now);
  }  // a connection that has handed over is ignored
  return take_changes();
}

Changes RealtimeSession::upstream_skipped(UpstreamId upstream, Moment now) {
  if (ended() || !upstream_.is_current(upstream)) return take_changes();
  ++counts_.unplaced_texts[static_cast<std::size_t>(transcript::Unplaced::too_large)];
  note(Change::counts);
  record({{}, transcript::TextUnplaced{transcript::Unplaced::too_large}}, now);
  return take_changes();
}

// ---- Messages of the provider ----

void RealtimeSession::current_said(protocol::Message message, Moment now) {
  protocol::ServerMessage seen = provider().peek_server(message.bytes);
  message.kind = protocol::kind_of(seen.traffic);
  upstream_.said();
  const bool is_audio = seen.traffic == protocol::Traffic::audio;
  if (is_audio && (!seen.audio || std::holds_alternative<transcript::AudioDelta>(seen.audio->body)))
    return pass_audio(std::move(message), seen.audio, now);
  const auto clean = is_audio ? std::nullopt : without_secrets(message.bytes);
  const std::string_view words = clean ? std::string_view(*clean) : message.bytes;
  protocol::ServerReading said =
      is_audio ? protocol::ServerReading{std::move(seen.audio), std::nullopt, std::nullopt}
               : read(words);
  if (said.event && upstream_.current()->given() > 0 && upstream_.current()->is_echo(*said.event))
    return;
  answers_->see(seen.type, words);
  if (said.formats) meter_.configured(*said.formats);
  policy_.configured(seen.type, words);
  const bool ours = said.event && is_for_relay(*said.event, message, now);
  const bool shown = !ours && !dialogue().is_hidden(seen.type);
  if (!said.event) {
    dialogue().release_created();
    hide_fields(policy_, message);
    if (shown) client_.answer(std::move(message));
    return;
  }
  if (!ours) match_request(*said.event, message);
  notice(*said.event, clean ? std::string_view(*clean) : message.bytes, message.received_us);
  budget_.active(now.mono_ms);
  record_and_answer(std::move(said), std::move(message), shown, now);
}

/// True if the event answers a request of the relay; no client gets it then.
bool RealtimeSession::is_for_relay(const transcript::Event& event, const protocol::Message& message,
                                   Moment now) {
  using Addressee = SettingsDialogue::Addressee;
  const Addressee addressee = dialogue().addressee(event, message, now);
  if (addressee == Addressee::relay_refused) {
    ++counts_.own_requests_refused;
    note(Change::counts);
  }
  return addressee != Addressee::client;
}

/// `event`: of the audio; nullopt: the message has none.
void RealtimeSession::pass_audio(protocol::Message message,
                                 const std::optional<transcript::Event>& event, Moment now) {
  if (event && !transcript_.apply(*event, now.wall).repeat) {
    const auto& audio = std::get<transcript::AudioDelta>(event->body);
    audio_said(audio, message.received_us);
    if (recorder_) record_answer_audio(audio, message, now);
    if (ended()) return;
  }
  budget_.active(now.mono_ms);
  dialogue().release_created();
  client_.answer(std::move(message));
  spend(now);
}

/// Finds the client's request that the event answers. An item that was moved for the provider is
/// shown where the client asked for it.
void RealtimeSession::match_request(transcript::Event& event, protocol::Message& message) {
  const auto* const error = std::get_if<transcript::ProviderError>(&event.body);
  const protocol::ErrorMeaning meaning =
      error ? provider().meaning(*error) : protocol::ErrorMeaning::other;
  const std::string behind = unanswered_.answered_by(event, meaning);
  if (!behind.empty()) show_behind(behind, event, message);
}

/// The provider has placed an item that was moved: restores the place that the client asked for.
void RealtimeSession::show_behind(const std::string& previous, transcript::Event& event,
                                  protocol::Message& message) {
  auto* const placed = std::get_if<transcript::ItemPlaced>(&event.body);
  if (placed == nullptr) return;
  placed->place = transcript::Position::after;
  placed->previous = previous;
  message.bytes = provider().placed_behind(message.bytes, previous);
}

/// Whether a response is over, or in a transcription session its counterpart. The audio so far is
/// then measured and journaled.
bool RealtimeSession::is_over(const transcript::Event& event) const {
  if (std::holds_alternative<transcript::ResponseEnded>(event.body)) return true;
  const auto* const done = std::get_if<transcript::TextDone>(&event.body);
  return transcribes() && done != nullptr && done->transcription;
}

/// Records the event; the client gets the message when the event is durable.
void RealtimeSession::record_and_answer(protocol::ServerReading said, protocol::Message message,
                                        bool shown, Moment now) {
  const std::optional<bool> transcription = transcription_in(*said.event);
  const auto* const session_created = std::get_if<transcript::UpstreamOpened>(&said.event->body);
  const bool created = session_created != nullptr;
  if (created) upstream_.plan_rotation(session_created->expires_at_s, now);
  const bool speech = std::holds_alternative<transcript::SpeechStarted>(said.event->body);
  const bool over = is_over(*said.event);
  const auto event_needs = record(*std::move(said.event), now);
  if (!event_needs) return;
  const auto usage_needs = record_usage(std::move(said.transcription_usage), over, now);
  if (!usage_needs) return;
  const auto settings_needs = record_settings(now);
  if (!settings_needs) return;
  const transcript::Sequence needs = std::max({*event_needs, *usage_needs, *settings_needs});
  if (transcription)
    dialogue().hide_from_client(message);
  else
    hide_fields(policy_, message);
  if (created && std::exchange(hides_created_, false)) {
    dialogue_.holds_created = false;
  } else if (created && dialogue_.holds_created) {
    dialogue().hold_created(std::move(message), needs, now);
  } else if (shown) {
    dialogue().release_created();
    client_.answer(std::move(message), needs);
  }
  send_turn_events();
  if (transcription) dialogue().transcription_seen(*transcription);
  if (speech) dialogue().speech_began();
  finish_if_transcribed(now);
  spend(now);
  if (upstream_.next() && !ended()) try_carry_over(now);
}

void RealtimeSession::audio_said(const transcript::AudioDelta& audio, std::int64_t received_us) {
  meter_.provider_sent(audio);
  if (!first_audio_.awaits() || !client_.attached()) return;
  // It may wait in the outbox for the text before it, whose commit the journal would delay.
  if (first_audio_.audio(audio, received_us)) journal_.hurry();
}

protocol::ServerReading RealtimeSession::read(std::string_view message) const {
  protocol::ServerReading said = provider().read_server(message);
  if (said.event && options_.secrets) options_.secrets->cut_codes(*said.event);
  return said;
}

void RealtimeSession::session_shown(std::string_view message) {
  settings_.see(provider().session_in(message));
  facts_ = provider().read_session(settings_.session_json());
}

void RealtimeSession::notice(const transcript::Event& event, std::string_view message,
                             std::int64_t received_us) {
  first_audio_.see(event, received_us);
  if (const auto* unplaced = std::get_if<transcript::TextUnplaced>(&event.body)) {
    ++counts_.unplaced_texts[static_cast<std::size_t>(unplaced->why)];
    note(Change::counts);
  }
  if (std::holds_alternative<transcript::ResponseEnded>(event.body)) {
    ++counts_.responses;
    note(Change::counts);
  }
  if (std::holds_alternative<transcript::SpeechStarted>(event.body)) {
    speech_open_ = true;
    client_.speech_began();
  }
  if (std::holds_alternative<transcript::BufferCleared>(event.body))
    speech_open_ = audio_uncommitted_ = false;
  if (const auto* placed = std::get_if<transcript::ItemPlaced>(&event.body);
      placed && placed->committed) {
    speech_open_ = audio_uncommitted_ = false;
  }
  if (const auto* error = std::get_if<transcript::ProviderError>(&event.body)) {
    upstream_.said_error(*error);
  }
  if (std::holds_alternative<transcript::SessionConfigured>(event.body) ||
      std::holds_alternative<transcript::UpstreamOpened>(event.body))
    session_shown(message);
}

// ---- Replacing a connection ----

void RealtimeSession::next_said(const protocol::Message& message, Moment now) {
  const auto clean = without_secrets(message.bytes);
  const auto event = read(clean ? *clean : message.bytes).event;
  if (!event) return;
  UpstreamConnection& next = *upstream_.next();
  if (!next.prepare(*event, transcript_, settings_, journal_.last(),
                    upstream_.current().has_value())) {
    upstream_failed("the provider refused to continue the session: " + next.rejection(), now);
    return;
  }
  upstream_.prepared(now);
  try_carry_over(now);
}

// Make before break: while the old connection is good, the new one waits for a moment of silence.
void RealtimeSession::try_carry_over(Moment now) {
  UpstreamConnection& next = *upstream_.next();
  if (!next.is_ready()) return;
  if (next.refused_all()) return history_refused(now);
  if (upstream_.current() && !is_silent()) return;
  upstream_.gave_next();
  if (next.catch_up(transcript_, journal_.last(), /*settled_only=*/false)) return;
  carry_over(now);
}

bool RealtimeSession::is_silent() const {
  const bool half_said = speech_open_ || (audio_uncommitted_ && !facts_.detects_turns);
  return upstream_.created() && !half_said && !transcript_.is_answering() && unanswered_.empty() &&
         dialogue_.requests.empty() && !transcript_.awaiting_transcription();
}

void RealtimeSession::carry_over(Moment now) {
  const bool after_loss = upstream_.carry_over(now);
  ++(after_loss ? counts_.reconnected : counts_.rotated);
  note(Change::counts);
  speech_open_ = false;
  dialogue_.requests.connection_lost();
  count_rebuild(upstream_.current()->rebuild());
  const transcript::Event session_created = *upstream_.current()->session_created();
  upstream_.plan_rotation(std::get<transcript::UpstreamOpened>(session_created.body).expires_at_s,
                          now);
  if (!record(session_created, now)) return;
  if (const auto& configuration = upstream_.current()->configuration()) {
    dialogue_.transcription_on =
        std::get<transcript::SessionConfigured>(configuration->body).transcription_on;
    if (!record(*configuration, now)) return;
  }
  send_turn_events();
  // Pending messages were queued before it was known which items this connection has.
  for (Outbox::Waiting& one : upstream_.withdraw()) pass_on(std::move(one.message), one.needs, now);
  const bool changed = after_loss || !last_rebuild_.whole();
  if (changed && client_.extension_events())
    client_.answer(protocol::own_message(restored_event(last_rebuild_, own_event_id())));
  if (!after_loss) return;
  const auto again = unanswered_.take_sent();
  for (auto request = again.rbegin(); request != again.rend(); ++request) {
    if (request->kind == Unanswered::Request::Kind::settings)
      dialogue().client_asked(request->message, facts_in(request->message->bytes));
    upstream_.push_first(placed_where_known(request->message), request->needs);
  }
  if (facts_.answers_by_itself && !unanswered_.has_response() && transcript_.awaiting_answer()) {
    upstream_.push_first(std::make_shared<const protocol::Message>(
        protocol::own_message(provider().create_response(response_event_id))));
  }
}

void RealtimeSession::pass_on(protocol::MessagePtr message, transcript::Sequence needs,
                              Moment now) {
  if (answered_here(provider().peek_client(message->bytes), *message, now)) {
    unanswered_.withdrawn(message);
    return;
  }
  upstream_.push(placed_where_known(std::move(message)), needs);
}

void RealtimeSession::count_rebuild(const Rebuild& rebuild) {
  last_rebuild_ = rebuild;
  note(Change::counts);
  ++counts_.rebuilds;
  counts_.items_given += rebuild.given;
  counts_.items_left_out += rebuild.left_out.size();
  counts_.items_refused += rebuild.refused.size();
}

/// A provider that refused every item would answer without any knowledge of the conversation.
void RealtimeSession::history_refused(Moment now) {
  count_rebuild(upstream_.next()->rebuild());
  upstream_failed("the provider refused the conversation's items: " + upstream_.next()->rejection(),
                  now, transcript::CloseReason::upstream_error);
}

// ---- A connection is lost ----

Changes RealtimeSession::upstream_gone(UpstreamId upstream, const LinkEnd& link, Moment now) {
  if (ended()) return take_changes();
  if (upstream_.is_next(upstream)) {
    upstream_failed(
        "the provider closed the connection: " + in_our_words(link, upstream_.next()->rejection()),
        now);
  } else if (upstream_.is_current(upstream)) {
    const auto [reason, why] = upstream_.loss(link);
    lose_upstream(reason, why, now);
  }
  return take_changes();
}

Changes RealtimeSession::upstream_unavailable(UpstreamId upstream, transcript::CloseReason reason,
                                              const std::string& why, Moment now) {
  if (upstream_.is_next(upstream)) {
    upstream_failed(why, now);
  } else if (upstream_.is_current(upstream)) {
    finish(reason, why, now);
  }
  return take_changes();
}

void RealtimeSession::lose_upstream(transcript::CloseReason reason, const std::string& why,
                                    Moment now) {
  upstream_.drop_current();
  dialogue().release_created();
  // A first connection that never sent a message counts as a refusal, not a loss. After the client
  // has left for good, no replacement is needed.
  if (!upstream_.created() || pending_reason_ || !upstream_.may_reconnect(now))
    return finish(reason, why, now);
  auto endings = answers_->cut_off(transcript_, facts_.speaks, [this] { return own_event_id(); });
  answers_->clear();
  if (!record_audio(now)) return;
  const auto needs =
      record({{}, transcript::UpstreamLost{std::string(transcript::to_string(reason))}}, now);
  if (!needs) return;
  for (std::string& message : endings)
    client_.answer(protocol::own_message(std::move(message)), *needs);
  send_turn_events();
  upstream_.begin_outage(reason, why, now);
  ++counts_.lost;
  note(Change::counts);
  if (client_.extension_events())
    client_.answer(protocol::own_message(
        upstream_event("lost", transcript::to_string(reason), own_event_id())));
  if (upstream_.next()) try_carry_over(now);
}

void RealtimeSession::upstream_failed(const std::string& why, Moment now,
                                      std::optional<transcript::CloseReason> reason) {
  if (upstream_.next_failed(now)) return;
  const Outage& outage = *upstream_.outage();
  finish(reason.value_or(outage.reason), outage.why + "; the last try failed: " + why, now);
}

}  // namespace verbatim::session
