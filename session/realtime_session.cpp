#include "session/realtime_session.hpp"

#include <algorithm>
#include <utility>

#include "base/json/view.hpp"
#include "session/protocol/event_reader.hpp"
#include "session/protocol/message_kind.hpp"
#include "session/relay_events.hpp"
#include "session/snapshot.hpp"

namespace verbatim::session {

namespace {

/// Share of the resume buffer retained while the client is attached: a quarter. A client that is
/// attached can only miss messages on their way; an absent one misses more.
constexpr std::size_t kept_while_there_part = 4;

/// How long a returned client's snapshot is held if the client does not send first. Some SDKs
/// attach their listener a moment after the connection is open.
constexpr std::int64_t listen_pause_ms = 100;

bool asks_for_transcription(std::string_view update) {
  return json::View::of(update)["session"]["type"].between_quotes() == "transcription";
}

/// While the journal's queue is crowded, it still accepts this much of an item.
constexpr std::size_t always_room_for_bytes = 64 * 1024;

BudgetLimits limits_of(const SessionOptions& options) {
  BudgetLimits limits = options.budget;
  limits.max_duration_ms = options.max_duration_ms;
  limits.idle_timeout_ms = options.idle_timeout_ms;
  limits.notice_ms = options.ending_notice_ms;
  return limits;
}

}  // namespace

RealtimeSession::RealtimeSession(SessionIdentity identity, SessionOptions options, Journal& journal,
                                 Moment now)
    : identity_(std::move(identity)),
      options_(std::move(options)),
      journal_(journal),
      to_client_(options_.resume_window_ms > 0
                     ? options_.resume_buffer_bytes_max / kept_while_there_part
                     : 0),
      policy_(options_.policy, options_.session_config_json, options_.model),
      budget_(limits_of(options_), options_.users_usage, now.mono_ms),
      pace_(options_.users_pace ? options_.users_pace
                                : std::make_shared<PaceAccount>(options_.journal_bytes_per_second)),
      backoff_(options_.reconnect),
      answers_(options_.open_answers_bytes_max) {
  budget_.listen(identity_.extension_events);
  if (const auto wanted = wants_transcription(options_.session_config_json))
    settings_.hide_transcription(!*wanted);
  transcript_.not_before(identity_.started_at);
  transcribes_ = options_.transcription;
  pace_.time_passed(now.mono_ms);  // the user's other sessions may be above the rate
}

// ---- The client ----

Changes RealtimeSession::client_said(Message message, Moment now) {
  handle_client(std::move(message), now);
  return take_changes();
}

void RealtimeSession::handle_client(Message message, Moment now) {
  if (ended() || !client_attached_) return;
  release_client();  // a client that sends has its listener attached
  if (identity_.dialect != nullptr) identity_.dialect->to_provider(message);
  const std::string_view type = peek_type(message.bytes);
  if (type == "verbatim.end") {
    finish(CloseReason::client_ended, "the client sent verbatim.end", now);
    return;
  }
  auto refusal =
      check_client_message(message.bytes, options_.extra_client_events, policy_.values_max());
  if (!refusal) refusal = policy_.refuse(type, message.bytes);
  if (refusal) {
    ++counts_.refused_client_messages;
    note(Change::counts);
    send_error("invalid_request_error", refusal->code, refusal->message, refusal->param,
               refusal->event_id);
    return;
  }
  const Traffic traffic = client_traffic(type);
  message.kind = kind_of(traffic);
  if (traffic == Traffic::audio) {
    audio_uncommitted_ = true;
    meter_.client_sent(type, message.bytes);
    queue_upstream(std::move(message));
    spend(now);
    return;
  }
  budget_.active(now.mono_ms);  // raw microphone frames do not count as activity
  if (type == "session.update" && asks_for_transcription(message.bytes)) become_transcription();
  if (answered_here(type, message, now)) return;
  const bool settings = type == "session.update" || type == "transcription_session.update";
  if (type == "input_audio_buffer.commit" || type == "input_audio_buffer.clear")
    audio_uncommitted_ = false;
  Sequence needs = 0;
  const auto clean = without_secrets(message.bytes);
  if (auto event = read_client_event(clean ? *clean : message.bytes)) {
    const auto recorded = record(std::move(*event), now);
    if (!recorded) return;
    needs = *recorded;
    send_turn_events();
  }
  meter_.client_sent(type, message.bytes);
  const std::string kept_type(type);  // `type` points into `message`, which is moved next
  auto queued = std::make_shared<const Message>(std::move(message));
  unanswered_.asked(kept_type, queued, needs);
  if (settings) settings_requests_.queued(queued, SettingsRequests::Purpose::client);
  queue_upstream(placed_where_known(std::move(queued)), needs);
  spend(now);
}

// A client that names no model shows its kind of session only by its session.update, but the
// provider needs it in the URL. So a new connection is dialled, as if it were the first.
void RealtimeSession::become_transcription() {
  if (transcribes_ || !options_.model.empty() || !transcript_.chain().empty()) return;
  transcribes_ = true;
  hides_created_ = created_ && !held_created_;
  held_created_.reset();
  holds_created_ = false;
  drop_connection(current_);
  dial_wanted_ = true;
  note(Change::dial);
  created_ = expired_ = provider_error_ = false;
  const bool hides_words = settings_.hides_transcription();
  settings_ = {};
  if (hides_words) settings_.hide_transcription(true);
  to_upstream_.clear();
  note(Change::client_readable);
  unanswered_ = {};
  settings_requests_ = {};
  transcription_on_ = transcription_refused_ = false;
}

Changes RealtimeSession::refuse_frame(const std::string& why) {
  if (ended() || !client_attached_) return take_changes();
  release_client();  // a client that sends has its listener attached
  ++counts_.refused_client_messages;
  note(Change::counts);
  send_error("invalid_request_error", "invalid_frame", why);
  return take_changes();
}

Changes RealtimeSession::refuse_connection(const std::string& code, const std::string& why) {
  release_client();
  ++counts_.refused_client_messages;
  note(Change::counts | Change::client_writable | Change::deadline);
  Message last = error_message({"invalid_request_error", code, why, {}, {}});
  if (identity_.dialect != nullptr) identity_.dialect->to_client(last);
  to_client_.push_front(std::move(last));
  return take_changes();
}

Changes RealtimeSession::greet(Message message) {
  to_client_.push(std::move(message), 0);
  note(Change::client_writable);
  return take_changes();
}

Changes RealtimeSession::client_gone(const LinkEnd& link, Moment now) {
  if (!client_attached_) return take_changes();
  client_attached_ = false;
  note(Change::upstream_readable);
  // A client that closes cleanly is done. A page that is left or reloaded (1001) may come back.
  const bool may_return = options_.resume_window_ms > 0 && (!link.clean || link.close_code == 1001);
  if (ended() || !may_return) to_client_.clear();
  if (ended()) return take_changes();
  const CloseReason reason = link.refused ? CloseReason::policy
                             : link.clean ? CloseReason::client_closed
                                          : CloseReason::client_lost;
  if (may_return) {
    detach(reason, link.reason, now);
  } else {
    leave_for_good(reason, link.reason, now);
  }
  return take_changes();
}

void RealtimeSession::detach(CloseReason reason, const std::string& why, Moment now) {
  detached_ = Detached{reason, why, now.mono_ms + options_.resume_window_ms,
                       now.mono_ms + options_.transcription_grace_ms};
  note(Change::counts | Change::deadline);
  to_client_.release();
  to_client_.shed(options_.resume_buffer_bytes_max);
  if (const Sequence marked = journal_.mark(identity_.attempt, SessionStatus::detached))
    last_sequence_ = marked;
}

// A client that leaves right after speaking has speech that is still being transcribed. A client
// that leaves in mid-speech sends no more silence, so the provider cannot detect the end: commit
// it.
void RealtimeSession::leave_for_good(CloseReason reason, const std::string& why, Moment now) {
  pending_reason_ = reason;
  pending_why_ = why;
  if (speech_open_) queue_upstream(own_message(commit_event()));
  grace_deadline_ms_ = now.mono_ms + options_.transcription_grace_ms;
  note(Change::deadline);
  finish_if_transcribed(now);
}

bool RealtimeSession::transcription_expected() const {
  return transcription_on_ && (speech_open_ || transcript_.awaiting_transcription());
}

void RealtimeSession::finish_if_transcribed(Moment now) {
  if (!pending_reason_ || ended()) return;
  if (!transcription_expected() || now.mono_ms >= grace_deadline_ms_) {
    finish(*pending_reason_, pending_why_, now);
  }
}

Changes RealtimeSession::client_returned(const ClientReturn& how, Moment now) {
  if (ended()) return take_changes();
  ++counts_.resumed;
  note(Change::counts | Change::client_writable | Change::client_readable |
       Change::upstream_readable | Change::deadline | Change::awaits_journal);
  if (!client_attached_) {
    const Sequence marked = journal_.mark(identity_.attempt, SessionStatus::live);
    if (marked != 0) last_sequence_ = marked;
  }
  client_attached_ = true;
  detached_.reset();
  pending_reason_.reset();
  client_stuck_since_ms_ = 0;
  budget_.active(now.mono_ms);
  budget_.listen(how.extension_events);
  identity_.extension_events = how.extension_events;
  // Retained messages are in the dialect of the connection that they were written for.
  const bool same_dialect = std::exchange(identity_.dialect, how.dialect) == how.dialect;
  const bool replayed = same_dialect && how.after && to_client_.can_resume_after(*how.after);
  if (replayed) {
    to_client_.resume_after(*how.after);
  } else {
    ++counts_.resumed_with_snapshot;
    resync(how, now);
  }
  if (!how.extension_events) return take_changes();
  const ResumeInfo resume{true, replayed, to_client_.next_number() - 1};
  to_client_.push_front(own_message(session_event(identity_.session_id, identity_.attempt_number,
                                                  options_.resume_window_ms, resume)));
  return take_changes();
}

void RealtimeSession::resync(const ClientReturn& how, Moment now) {
  to_client_.restart(how.after.value_or(0));
  settled_turns_.clear();
  // session.created is still to come
  if ((settings_.empty() || held_created_) && !how.after) return;
  held_created_.reset();
  if (how.after && !how.extension_events) {
    send_error("server_error", "messages_not_kept",
               "The messages after number " + std::to_string(*how.after) +
                   " are no longer kept; the conversation's items follow instead.");
  }
  for (std::string& message : snapshot(transcript_, answers_, settings_, options_.item_bytes_max,
                                       [this] { return own_event_id(); })) {
    if (auto allowed = policy_.without_hidden(peek_type(message), message))
      message = std::move(*allowed);
    answer_client(own_message(std::move(message)), last_sequence_);
  }
  if (how.extension_events) return;
  to_client_.hold_behind(to_client_.next_number() + (how.after ? 1 : 0));
  held_until_ms_ = now.mono_ms + listen_pause_ms;
}

// The journal has the JSON of an item once, and never that of an item above the size limit.
void RealtimeSession::bound_details(Event& event) const {
  for_each_item(event, [this](Item& item) {
    if (item.detail.empty()) return;
    if (transcript_.has_detail(item)) {
      item.detail.clear();
    } else if (item.kind == ItemKind::message && item.detail.size() > options_.item_bytes_max) {
      item.detail = detail_too_large;
    } else if (item.kind == ItemKind::message && item.detail.size() > always_room_for_bytes &&
               journal_.crowded()) {
      item.detail = detail_not_kept;
    }
  });
}

std::optional<std::string> RealtimeSession::without_secrets(std::string_view message) const {
  return options_.secrets ? options_.secrets->cut_frame(message) : std::nullopt;
}

std::optional<Sequence> RealtimeSession::record(Event event, Moment now) {
  if (auto* truncated = std::get_if<ItemTruncated>(&event.body)) {
    truncated->audio_sent_ms =
        transcript_.audio_sent_ms(truncated->item_id, truncated->content_index);
  }
  bound_details(event);
  const Transcript::Applied applied = transcript_.apply(event, now.wall);
  if (applied.repeat) return 0;
  const Taken appended = journal_.append(identity_.attempt, now.wall, event);
  Sequence needs = appended.sequence;
  std::size_t bytes = appended.bytes;
  for (const std::string& item_id : applied.changed) {
    if (needs == 0) break;
    const auto turn = transcript_.ended_turn(item_id);
    if (!turn) continue;
    const Taken settled = journal_.settle(identity_.attempt, *turn);
    needs = settled.sequence;
    bytes += settled.bytes;
    if (needs != 0 && identity_.extension_events) settled_turns_.emplace_back(item_id, needs);
  }
  if (needs == 0) {
    finish(CloseReason::storage_failure, "the transcript cannot be saved", now);
    return std::nullopt;
  }
  last_sequence_ = needs;
  if (!may_journal(bytes, now)) return std::nullopt;
  return needs;
}

/// All sessions share the disk. A session that journals too much in a minute ends. A session that
/// is only faster than the disk is not read until its events are durable, so the journal's queue
/// keeps room for others.
bool RealtimeSession::may_journal(std::size_t bytes, Moment now) {
  recorded_bytes_ += bytes;
  if (recorded_bytes_ >= options_.journal_share_bytes) {
    recorded_bytes_ = 0;
    waits_for_share_ = last_sequence_;
    note(Change::awaits_journal);
  }
  const bool held = pace_.holds();
  pace_.brought(bytes, now.mono_ms);
  if (held != pace_.holds()) note(held ? Change::client_readable : Change::deadline);
  const auto notice = budget_.journaled(bytes, now.mono_ms);
  if (!notice) return true;
  handle_limit(*notice, now);
  return false;
}

// ---- Outputs ----

bool RealtimeSession::wants_client() const {
  // The relay can answer a client without the provider. Error events for refused messages come on
  // top of a full queue, so twice the limit stops the reading.
  return !ended() && client_attached_ && !pace_.holds() && !journal_.crowded() &&
         !over_share(journal_.durable()) &&
         to_upstream_.bytes() < options_.upstream_queue_bytes_max &&
         to_client_.bytes() < 2 * options_.client_queue_bytes_max;
}

bool RealtimeSession::wants_upstream() const {
  return !ended() && !journal_.crowded() && !over_share(journal_.durable()) &&
         !(client_attached_ && client_queue_full());
}

bool RealtimeSession::client_queue_full() const {
  return to_client_.bytes() >= options_.client_queue_bytes_max;
}

bool RealtimeSession::client_is_behind() const {
  return client_attached_ && client_queue_full() && to_client_.ready(journal_.durable());
}

bool RealtimeSession::waits_for_journal(Sequence durable) const {
  if (ended() ? !settled() : journal_.crowded() || over_share(durable)) return true;
  return (client_attached_ && to_client_.head_needs() > durable) ||
         to_upstream_.head_needs() > durable || (next_ && next_->outbox().head_needs() > durable);
}

bool RealtimeSession::settled() const {
  return ended() && (journal_.failed() || final_sequence_ <= journal_.durable());
}

bool RealtimeSession::kept() const {
  return final_sequence_ != 0 && final_sequence_ <= journal_.durable();
}

std::int64_t RealtimeSession::next_deadline_ms() const {
  if (ended()) return never;
  if (pending_reason_) return grace_deadline_ms_;
  std::int64_t next = budget_.next_deadline_ms();
  if (current_ && current_->is_open() && !created_) next = std::min(next, created_deadline_ms_);
  if (next_ && next_->is_open()) next = std::min(next, prepare_deadline_ms());
  if (outage_ && !next_) next = std::min(next, outage_->retry_at_ms);
  if (current_ && !next_ && rotate_at_ms_ != 0 && !rotation_waits_)
    next = std::min(next, rotate_at_ms_);
  if (held_until_ms_ != 0) next = std::min(next, held_until_ms_);
  if (held_created_) next = std::min(next, held_created_->until_ms);
  if (pace_.holds()) next = std::min(next, pace_.ends_at_ms());
  if (detached_) {
    next = std::min(next, detached_->until_ms);
    if (speech_open_) next = std::min(next, detached_->commit_at_ms);
  }
  if (client_is_behind()) {
    next = std::min(next, client_stuck_since_ms_ == 0
                              ? std::int64_t{0}
                              : client_stuck_since_ms_ + options_.slow_client_timeout_ms);
  }
  return next;
}

void RealtimeSession::answer_client(Message message, Sequence needs) {
  if (!client_attached_ && !detached_) return;
  if (identity_.dialect != nullptr && !identity_.dialect->to_client(message)) return;
  to_client_.push(std::move(message), needs);
  note(Change::client_writable);
  if (needs != 0) note(Change::awaits_journal);
  if (client_queue_full()) note(Change::deadline);
  if (detached_) to_client_.shed(options_.resume_buffer_bytes_max);
}

void RealtimeSession::send_error(std::string type, std::string code, std::string message,
                                 std::string param, std::string client_event_id) {
  answer_client(error_message({std::move(type), std::move(code), std::move(message),
                               std::move(param), std::move(client_event_id)}));
}

Message RealtimeSession::error_message(const ErrorEvent& error) {
  return own_message(to_json(error, own_event_id()));
}

void RealtimeSession::send_turn_events() {
  if (settled_turns_.empty()) return;
  for (const auto& [item_id, needs] : std::exchange(settled_turns_, {})) {
    if (const auto turn = transcript_.numbered_turn(item_id))
      answer_client(own_message(turn_event(*turn, own_event_id())), needs);
  }
}

std::optional<Sequence> RealtimeSession::record_usage(std::optional<Event> transcription,
                                                      bool response_over, Moment now) {
  Sequence needs = 0;
  if (response_over) {
    const auto audio_needs = record_audio(now);
    if (!audio_needs) return std::nullopt;
    needs = *audio_needs;
    if (const auto audio = meter_.unwritten()) {
      const auto recorded = record({{}, *audio}, now);
      if (!recorded) return std::nullopt;
      needs = *recorded;
    }
  }
  if (!transcription) return needs;
  return record(std::move(*transcription), now);
}

std::optional<Sequence> RealtimeSession::record_audio(Moment now) {
  Sequence needs = 0;
  for (AnswerAudio& sent : transcript_.unrecorded_audio()) {
    const auto recorded = record({{}, std::move(sent)}, now);
    if (!recorded) return std::nullopt;
    needs = *recorded;
  }
  return needs;
}

void RealtimeSession::spend(Moment now) {
  if (ended()) return;
  Usage all = transcript_.used();
  all.input_audio_ms = meter_.audio().input_ms;
  all.output_audio_ms = meter_.audio().output_ms;
  while (const auto notice = budget_.spent(all)) handle_limit(*notice, now);
}

void RealtimeSession::handle_limit(const Budget::Notice& notice, Moment now) {
  if (notice.reached) {
    finish(close_reason(notice.limit), reached(notice.limit), now);
  } else if (identity_.extension_events) {
    answer_client(own_message(limit_event(identity_.session_id, notice, own_event_id())));
  }
}

std::string RealtimeSession::own_event_id() {
  return std::string(own_event_prefix) + identity_.session_id + "_" + std::to_string(++own_events_);
}

}  // namespace verbatim::session
