// The provider's side of a session: its messages, and what happens when an upstream connection is
// lost or is about to end. Part of RealtimeSession, on its thread.
#include <algorithm>
#include <utility>

#include "session/protocol/event_reader.hpp"
#include "session/protocol/message_kind.hpp"
#include "session/realtime_session.hpp"
#include "session/relay_events.hpp"
#include "session/snapshot.hpp"

namespace verbatim::session {

namespace {

/// After carrying the conversation for this long, a connection counts as good: the loss of it
/// starts a new series of reconnect attempts.
constexpr std::int64_t good_connection_ms = 10'000;

/// The slowest rate expected of items on their way to a new connection; sets the deadline.
constexpr std::int64_t slowest_line_bytes_per_ms = 256;

/// The next connection is prepared after this share of the time until the provider ends the
/// session.
constexpr std::int64_t rotate_share_percent = 92;

/// Removes the fields that policy hides from the client.
void hide_fields(const Policy& policy, std::string_view type, Message& message) {
  if (auto shown = policy.without_hidden(type, message.bytes)) message.bytes = *std::move(shown);
}

}  // namespace

// ---- Upstream connections ----

std::optional<UpstreamId> RealtimeSession::take_dial(Moment now) {
  if (ended() || next_) return std::nullopt;
  if (std::exchange(dial_wanted_, false)) {
    note(Change::upstream_writable);
    current_.emplace(++upstreams_, /*rebuilds=*/false, options_.item_bytes_max);
    return upstreams_;
  }
  rotation_waits_ = rotation_due(now) && !is_silent();
  if (!wants_dial(now)) return std::nullopt;
  next_.emplace(++upstreams_, /*rebuilds=*/true, options_.item_bytes_max,
                /*takes_items=*/!transcribes_);
  return upstreams_;
}

bool RealtimeSession::wants_dial(Moment now) const {
  if (ended() || next_) return false;
  return dial_wanted_ || (outage_ && now.mono_ms >= outage_->retry_at_ms) ||
         (rotation_due(now) && is_silent());
}

bool RealtimeSession::rotation_due(Moment now) const {
  return current_ && !outage_ && rotate_at_ms_ != 0 && now.mono_ms >= rotate_at_ms_;
}

void RealtimeSession::rotate_at(std::int64_t at_ms) {
  rotate_at_ms_ = at_ms;
  rotation_waits_ = false;
  note(Change::deadline | Change::dial);
}

const Outbox* RealtimeSession::outbox_of(UpstreamId upstream) const {
  return const_cast<RealtimeSession*>(this)->upstream_outbox(upstream);
}

Outbox* RealtimeSession::upstream_outbox(UpstreamId upstream) {
  if (next_ && next_->id() == upstream) return &next_->outbox();
  if (!current_ || current_->id() != upstream) return nullptr;
  return current_->outbox().empty() ? &to_upstream_ : &current_->outbox();
}

Changes RealtimeSession::upstream_opened(UpstreamId upstream, Moment now) {
  if (ended()) return take_changes();
  note(Change::upstream_writable | Change::deadline);
  if (next_ && next_->id() == upstream) {
    next_->opened();
    prepare_deadline_ms_ = now.mono_ms + options_.created_timeout_ms;
  } else if (current_ && current_->id() == upstream) {
    current_->opened();
    created_deadline_ms_ = now.mono_ms + options_.created_timeout_ms;
    request_configuration();
  }
  return take_changes();
}

Changes RealtimeSession::upstream_said(UpstreamId upstream, Message message, Moment now) {
  if (ended()) return take_changes();
  if (next_ && next_->id() == upstream) {
    next_said(message, now);
  } else if (current_ && current_->id() == upstream) {
    current_said(std::move(message), now);
  }  // a connection that has handed over is ignored
  return take_changes();
}

Changes RealtimeSession::upstream_skipped(UpstreamId upstream, Moment now) {
  if (ended() || !current_ || current_->id() != upstream) return take_changes();
  ++counts_.unplaced_texts[static_cast<std::size_t>(Unplaced::too_large)];
  note(Change::counts);
  record({{}, TextUnplaced{Unplaced::too_large}}, now);
  return take_changes();
}

// ---- Messages of the provider ----

void RealtimeSession::current_said(Message message, Moment now) {
  const std::string_view type = peek_type(message.bytes);
  const Traffic traffic = server_traffic(type);
  message.kind = kind_of(traffic);
  provider_error_ = false;
  created_ = true;  // usually by session.created; some ways in (sideband) never send one
  const auto clean = traffic == Traffic::audio ? std::nullopt : without_secrets(message.bytes);
  const std::string_view words = clean ? std::string_view(*clean) : message.bytes;
  auto event = read(words);
  const auto* audio = event ? std::get_if<AudioDelta>(&event->body) : nullptr;
  if (traffic == Traffic::audio && (audio != nullptr || !event)) {
    if (audio != nullptr && !transcript_.apply(*event, now.wall).repeat)
      meter_.provider_sent(*audio);
    budget_.active(now.mono_ms);
    release_created();
    answer_client(std::move(message));
    spend(now);
    return;
  }
  if (event && current_->given() > 0 && current_->is_echo(*event)) return;
  answers_.see(type, words);
  auto transcription_usage = read_transcription_usage(type, words);
  meter_.configured(type, words);
  policy_.configured(type, words);
  const bool ours = event && answers_relay(*event, message, now);
  const bool unseen = ours || is_hidden(type);
  if (event && !ours) {
    const std::string behind = unanswered_.answered_by(*event);
    if (!behind.empty()) show_behind(behind, *event, message);
  }
  if (event) notice(*event, clean ? std::string_view(*clean) : message.bytes);
  if (!event) {
    release_created();
    hide_fields(policy_, type, message);
    if (!unseen) answer_client(std::move(message));
    return;
  }
  budget_.active(now.mono_ms);
  const auto* opened = std::get_if<UpstreamOpened>(&event->body);
  const auto* configured = std::get_if<SessionConfigured>(&event->body);
  const std::optional<bool> transcription = opened ? std::optional(opened->transcription_on)
                                            : configured
                                                ? std::optional(configured->transcription_on)
                                                : std::nullopt;
  const bool speech = std::holds_alternative<SpeechStarted>(event->body);
  const bool opened_here = opened != nullptr;
  if (opened) plan_rotation(opened->expires_at_s, now);

  const bool response_over = std::holds_alternative<ResponseEnded>(event->body);
  const auto needs = record(std::move(*event), now);
  if (!needs) return;
  const auto usage_needs = record_usage(std::move(transcription_usage), response_over, now);
  if (!usage_needs) return;
  if (transcription)
    veil(message);
  else
    hide_fields(policy_, type, message);
  if (opened_here && std::exchange(hides_created_, false)) {
    holds_created_ = false;
  } else if (opened_here && holds_created_) {
    hold_created(std::move(message), *needs, now);
  } else if (!unseen) {
    release_created();
    answer_client(std::move(message), std::max(*needs, *usage_needs));
  }
  send_turn_events();
  if (transcription) configuration_seen(*transcription);
  // Transcription must be on by the first speech, however earlier requests were answered.
  if (speech && !transcription_on_) request_transcription();
  finish_if_transcribed(now);
  spend(now);
  if (next_ && !ended()) try_carry_over(now);
}

std::optional<Event> RealtimeSession::read(std::string_view message) const {
  auto event = read_server_event(message);
  if (event && options_.secrets) options_.secrets->cut_codes(*event);
  return event;
}

void RealtimeSession::notice(const Event& event, std::string_view message) {
  if (const auto* unplaced = std::get_if<TextUnplaced>(&event.body)) {
    ++counts_.unplaced_texts[static_cast<std::size_t>(unplaced->why)];
    note(Change::counts);
  }
  if (std::holds_alternative<ResponseEnded>(event.body)) {
    ++counts_.responses;
    note(Change::counts);
  }
  if (std::holds_alternative<SpeechStarted>(event.body)) {
    speech_open_ = true;
    if (detached_) note(Change::deadline);  // for speech that the absent client has begun
  }
  if (std::holds_alternative<BufferCleared>(event.body)) speech_open_ = audio_uncommitted_ = false;
  if (const auto* placed = std::get_if<ItemPlaced>(&event.body); placed && placed->committed) {
    speech_open_ = audio_uncommitted_ = false;
  }
  if (const auto* error = std::get_if<ProviderError>(&event.body)) {
    provider_error_ = true;
    last_error_ = error->code.empty() ? error->type : error->code;
    expired_ = expired_ || error->code == "session_expired";
  }
  if (std::holds_alternative<SessionConfigured>(event.body) ||
      std::holds_alternative<UpstreamOpened>(event.body))
    settings_.see(message);
}

// ---- Replacing a connection ----

void RealtimeSession::next_said(const Message& message, Moment now) {
  const auto clean = without_secrets(message.bytes);
  const auto event = read(clean ? *clean : message.bytes);
  if (!event) return;
  note(Change::upstream_writable | Change::awaits_journal | Change::deadline);
  if (!next_->prepare(*event, transcript_, settings_, last_sequence_, current_.has_value())) {
    upstream_failed("the provider refused to continue the session: " + next_->rejection(), now);
    return;
  }
  prepare_deadline_ms_ = now.mono_ms + options_.created_timeout_ms;
  try_carry_over(now);
}

// Make before break: while the old connection is good, the new one waits for a moment of silence.
void RealtimeSession::try_carry_over(Moment now) {
  if (!next_->is_ready()) return;
  if (next_->refused_all()) return history_refused(now);
  if (current_ && !is_silent()) return;
  note(Change::upstream_writable | Change::awaits_journal);
  if (next_->catch_up(transcript_, last_sequence_, /*settled_only=*/false)) return;
  carry_over(now);
}

bool RealtimeSession::is_silent() const {
  const bool half_said = speech_open_ || (audio_uncommitted_ && !settings_.detects_turns());
  return created_ && !half_said && !transcript_.is_answering() && unanswered_.empty() &&
         settings_requests_.empty() && !transcript_.awaiting_transcription();
}

void RealtimeSession::carry_over(Moment now) {
  const bool after_loss = !current_;
  ++(after_loss ? counts_.reconnected : counts_.rotated);
  note(Change::counts | Change::superfluous | Change::upstream_writable | Change::client_readable |
       Change::dial | Change::deadline);
  current_ = std::exchange(next_, std::nullopt);
  outage_.reset();
  expired_ = provider_error_ = speech_open_ = false;
  settings_requests_.connection_lost();
  carried_since_ms_ = now.mono_ms;
  count_rebuild(current_->rebuild());
  const Event session_created = *current_->session_created();
  plan_rotation(std::get<UpstreamOpened>(session_created.body).expires_at_s, now);
  if (!record(session_created, now)) return;
  if (const auto& configuration = current_->configuration()) {
    transcription_on_ = std::get<SessionConfigured>(configuration->body).transcription_on;
    if (!record(*configuration, now)) return;
  }
  send_turn_events();
  // Pending messages were queued before it was known which items this connection has.
  for (Outbox::Waiting& one : to_upstream_.withdraw())
    pass_on(std::move(one.message), one.needs, now);
  const bool changed = after_loss || !last_rebuild_.whole();
  if (changed && identity_.extension_events)
    answer_client(own_message(restored_event(last_rebuild_, own_event_id())));
  if (!after_loss) return;
  const auto again = unanswered_.take_sent();
  for (auto request = again.rbegin(); request != again.rend(); ++request) {
    if (request->kind == Unanswered::Request::Kind::settings)
      settings_requests_.queued(request->message, SettingsRequests::Purpose::client);
    queue_upstream_first(placed_where_known(request->message), request->needs);
  }
  if (settings_.answers_by_itself() && !unanswered_.has_response() &&
      transcript_.awaiting_answer()) {
    queue_upstream_first(std::make_shared<const Message>(own_message(response_event())));
  }
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
  count_rebuild(next_->rebuild());
  upstream_failed("the provider refused the conversation's items: " + next_->rejection(), now,
                  CloseReason::upstream_error);
}

/// Large items extend the deadline, so that a slow line has time for them.
std::int64_t RealtimeSession::prepare_deadline_ms() const {
  return prepare_deadline_ms_ +
         static_cast<std::int64_t>(next_->unanswered_bytes()) / slowest_line_bytes_per_ms;
}

void RealtimeSession::plan_rotation(std::int64_t expires_at_s, Moment now) {
  if (options_.rotate_after_ms == 0) return;
  std::int64_t in_ms = options_.rotate_after_ms;
  if (expires_at_s > 0) {
    const std::int64_t left_ms = expires_at_s * 1000 - now.wall;
    in_ms = std::min(in_ms, std::max<std::int64_t>(0, left_ms) * rotate_share_percent / 100);
  }
  rotate_at(now.mono_ms + in_ms);
}

// ---- A connection is lost ----

namespace {

/// How the upstream connection ended, for logs and the client: codes and the relay's own words
/// only. The provider's close reason is left out; it may repeat speech or contain a key.
std::string in_our_words(const LinkEnd& link, const std::string& last_error) {
  std::string words = link.clean ? "close code " + std::to_string(link.close_code) : link.reason;
  if (!last_error.empty()) words += ", error " + last_error;
  return words;
}

}  // namespace

Changes RealtimeSession::upstream_gone(UpstreamId upstream, const LinkEnd& link, Moment now) {
  if (ended()) return take_changes();
  if (next_ && next_->id() == upstream) {
    upstream_failed("the provider closed the connection: " + in_our_words(link, next_->rejection()),
                    now);
  } else if (current_ && current_->id() == upstream) {
    current_gone(link, now);
  }
  return take_changes();
}

void RealtimeSession::current_gone(const LinkEnd& link, Moment now) {
  const std::string words = in_our_words(link, last_error_);
  if (expired_ || (link.clean && link.close_code == 1001 &&
                   link.reason.find("maximum duration") != std::string::npos)) {
    lose_upstream(CloseReason::session_expired, "the provider's session limit: " + words, now);
  } else if (!link.clean) {
    lose_upstream(CloseReason::upstream_lost, "the connection to the provider was lost: " + words,
                  now);
  } else if (provider_error_ || link.close_code >= 4000 || link.close_code == 1011) {
    lose_upstream(CloseReason::upstream_error, "the provider ended the session: " + words, now);
  } else {
    lose_upstream(CloseReason::upstream_closed, "the provider closed the connection: " + words,
                  now);
  }
}

Changes RealtimeSession::upstream_unavailable(UpstreamId upstream, CloseReason reason,
                                              const std::string& why, Moment now) {
  if (next_ && next_->id() == upstream) {
    upstream_failed(why, now);
  } else if (current_ && current_->id() == upstream) {
    finish(reason, why, now);
  }
  return take_changes();
}

void RealtimeSession::lose_upstream(CloseReason reason, const std::string& why, Moment now) {
  drop_connection(current_);
  release_created();
  // A first connection that never sent a message counts as a refusal, not a loss. After the client
  // has left for good, no replacement is needed.
  if (!created_ || pending_reason_ || options_.reconnect.attempts_max == 0)
    return finish(reason, why, now);
  const bool soon = carried_since_ms_ != 0 && now.mono_ms - carried_since_ms_ < good_connection_ms;
  soon ? backoff_.failed() : backoff_.reset();
  if (backoff_.exhausted()) return finish(reason, why, now);
  auto endings =
      cut_off_answers(answers_, transcript_, settings_.speaks(), [this] { return own_event_id(); });
  answers_.clear();
  if (!record_audio(now)) return;
  const auto needs = record({{}, UpstreamLost{std::string(to_string(reason))}}, now);
  if (!needs) return;
  for (std::string& message : endings) answer_client(own_message(std::move(message)), *needs);
  send_turn_events();
  outage_ = Outage{reason, why, now.mono_ms + backoff_.pause()};
  ++counts_.lost;
  note(Change::counts);
  rotate_at(0);
  if (identity_.extension_events)
    answer_client(own_message(upstream_event("lost", to_string(reason), own_event_id())));
  if (next_) try_carry_over(now);
}

void RealtimeSession::upstream_failed(const std::string& why, Moment now,
                                      std::optional<CloseReason> reason) {
  drop_connection(next_);
  if (!outage_) {  // the old connection is still good: try again later
    rotate_at(now.mono_ms + options_.reconnect.pause_max_ms);
    return;
  }
  backoff_.failed();
  if (backoff_.exhausted()) {
    finish(reason.value_or(outage_->reason), outage_->why + "; the last attempt failed: " + why,
           now);
    return;
  }
  outage_->retry_at_ms = now.mono_ms + backoff_.pause();
}

}  // namespace verbatim::session
