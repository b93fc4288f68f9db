#include "session/realtime_session.hpp"

#include <algorithm>
#include <limits>
#include <utility>

#include "session/own_events.hpp"
#include "session/protocol.hpp"

namespace verbatim::session {

namespace {

constexpr std::int64_t never = std::numeric_limits<std::int64_t>::max();

Message own_message(std::string bytes) { return {std::move(bytes), 0, MessageKind::other}; }

MessageKind kind_of(Traffic traffic) {
  switch (traffic) {
    case Traffic::audio:
      return MessageKind::audio;
    case Traffic::transcript:
      return MessageKind::text;
    case Traffic::other:
      return MessageKind::other;
  }
  return MessageKind::other;
}

// What a client is told in an error event before its connection is closed for this reason. The
// others need no words: the client decided itself, or nobody is there to read.
bool deserves_error_event(CloseReason reason) {
  switch (reason) {
    case CloseReason::upstream_lost:
    case CloseReason::upstream_error:
    case CloseReason::idle_timeout:
    case CloseReason::max_duration:
    case CloseReason::policy:
    case CloseReason::storage_failure:
      return true;
    case CloseReason::client_closed:
    case CloseReason::client_lost:
    case CloseReason::client_ended:
    case CloseReason::upstream_closed:
    case CloseReason::session_expired:
    case CloseReason::slow_client:
    case CloseReason::server_shutdown:
    case CloseReason::crash_recovered:
    case CloseReason::replaced:
      return false;
  }
  return false;
}

}  // namespace

RealtimeSession::RealtimeSession(SessionIdentity identity, SessionOptions options, Journal& journal,
                                 Moment now)
    : identity_(std::move(identity)),
      options_(std::move(options)),
      journal_(journal),
      started_ms_(now.mono_ms),
      active_ms_(now.mono_ms) {}

void RealtimeSession::client_said(Message message, Moment now) {
  if (ended() || !client_attached_) return;
  const std::string_view type = peek_type(message.bytes);
  if (type == "verbatim.end") {
    end(CloseReason::client_ended, "the client asked for it", now);
    return;
  }
  if (auto refusal = check_client_message(message.bytes, options_.extra_client_events)) {
    ++refused_;
    send_error("invalid_request_error", refusal->code, refusal->message, refusal->param,
               refusal->event_id);
    return;
  }
  const Traffic traffic = client_traffic(type);
  message.kind = kind_of(traffic);
  Sequence needs = 0;
  if (traffic != Traffic::audio) {
    active_ms_ = now.mono_ms;  // raw microphone frames are no activity
    if (type == "session.update" || type == "transcription_session.update") ++updates_outstanding_;
    if (auto event = read_client_event(message.bytes)) {
      const auto recorded = record(std::move(*event), now);
      if (!recorded) return;
      needs = *recorded;
      tell_turns();
    }
  }
  to_upstream_.push(std::move(message), needs);
}

void RealtimeSession::client_gone(const LinkEnd& link, Moment now) {
  if (!client_attached_) return;
  client_attached_ = false;
  to_client_.clear();
  if (ended()) return;
  pending_reason_ = link.clean ? CloseReason::client_closed : CloseReason::client_lost;
  pending_why_ = link.reason;
  // Who leaves right after speaking has said something that is still being transcribed; who leaves
  // in mid-speech will send no more silence by which the provider could tell that it is over.
  if (speech_open_) to_upstream_.push(own_message(commit_event()), 0);
  grace_deadline_ms_ = now.mono_ms + options_.transcription_grace_ms;
  finish_if_transcribed(now);
}

void RealtimeSession::finish_if_transcribed(Moment now) {
  if (!pending_reason_ || ended()) return;
  const bool words_to_come =
      transcription_on_ && (speech_open_ || transcript_.awaiting_transcription());
  if (!words_to_come || now.mono_ms >= grace_deadline_ms_) {
    end(*pending_reason_, pending_why_, now);
  }
}

void RealtimeSession::upstream_opened(Moment now) {
  if (ended()) return;
  upstream_open_ = true;
  created_deadline_ms_ = now.mono_ms + options_.created_timeout_ms;
  std::string update = configuration_update(
      options_.session_config_json,
      options_.input_transcription ? std::string_view(options_.transcription_model) : "");
  if (!update.empty()) {
    ++updates_outstanding_;
    to_upstream_.push_front(own_message(std::move(update)));
  }
}

void RealtimeSession::upstream_said(Message message, Moment now) {
  if (ended()) return;
  const std::string_view type = peek_type(message.bytes);
  const Traffic traffic = server_traffic(type);
  message.kind = kind_of(traffic);
  provider_error_ = false;
  created_ = true;  // usually by session.created; some ways in (sideband) never send one
  if (traffic == Traffic::audio) {
    if (auto audio = read_server_event(message.bytes)) transcript_.apply(*audio, now.wall);
    active_ms_ = now.mono_ms;
    answer_client(std::move(message));
    return;
  }
  auto event = read_server_event(message.bytes);
  if (!event) {
    answer_client(std::move(message));
    return;
  }
  active_ms_ = now.mono_ms;
  const auto* opened = std::get_if<UpstreamOpened>(&event->body);
  const auto* configured = std::get_if<SessionConfigured>(&event->body);
  const auto* error = std::get_if<ProviderError>(&event->body);
  const std::optional<bool> transcription = opened ? std::optional(opened->transcription_on)
                                            : configured
                                                ? std::optional(configured->transcription_on)
                                                : std::nullopt;
  const bool speech = std::holds_alternative<SpeechStarted>(event->body);
  if (speech) speech_open_ = true;
  if (const auto* placed = std::get_if<ItemPlaced>(&event->body); placed && placed->committed) {
    speech_open_ = false;
  }
  if (std::holds_alternative<BufferCleared>(event->body)) speech_open_ = false;
  if (error) {
    provider_error_ = true;
    last_error_ = error->code.empty() ? error->type : error->code;
    expired_ = expired_ || error->code == "session_expired";
    if (error->client_event_id.starts_with(own_event_prefix)) {
      transcription_refused_ = true;
      updates_outstanding_ = std::max(0, updates_outstanding_ - 1);
    }
  }
  if (configured && updates_outstanding_ > 0) --updates_outstanding_;

  const auto needs = record(std::move(*event), now);
  if (!needs) return;
  answer_client(std::move(message), *needs);
  tell_turns();
  if (transcription) configuration_seen(*transcription);
  // An update that was refused leaves the count too high; by the first speech it must be settled.
  if (speech && !transcription_on_) request_transcription();
  finish_if_transcribed(now);
}

std::optional<Sequence> RealtimeSession::record(Event event, Moment now) {
  if (auto* truncated = std::get_if<ItemTruncated>(&event.body)) {
    truncated->audio_sent_ms =
        transcript_.audio_sent_ms(truncated->item_id, truncated->content_index);
  }
  const Transcript::Applied applied = transcript_.apply(event, now.wall);
  if (applied.repeat) return 0;
  Sequence needs = journal_.append(identity_.attempt, now.wall, event);
  for (const std::string& item_id : applied.touched) {
    if (needs == 0) break;
    const auto turn = transcript_.turn(item_id);
    if (!turn || turn->status == TurnStatus::in_progress) continue;
    needs = journal_.settle(identity_.attempt, *turn);
    if (needs != 0 && identity_.extension_events) settled_turns_.emplace_back(item_id, needs);
  }
  if (needs == 0) {
    end(CloseReason::storage_failure, "the transcript can not be kept", now);
    return std::nullopt;
  }
  return needs;
}

void RealtimeSession::configuration_seen(bool transcription_on) {
  transcription_on_ = transcription_on;
  if (transcription_on) transcription_refused_ = false;
  if (!transcription_on && updates_outstanding_ == 0) request_transcription();
}

void RealtimeSession::request_transcription() {
  if (!options_.input_transcription || transcription_refused_) return;
  transcription_refused_ = true;  // until an answer shows that it is on
  ++updates_outstanding_;
  to_upstream_.push(own_message(transcription_update(options_.transcription_model)), 0);
}

void RealtimeSession::upstream_gone(const LinkEnd& link, Moment now) {
  upstream_open_ = false;
  if (ended()) return;
  const std::string said = link.reason.empty() ? last_error_ : link.reason;
  if (expired_ || (link.clean && link.close_code == 1001 &&
                   said.find("maximum duration") != std::string::npos)) {
    end(CloseReason::session_expired, said, now);
  } else if (!link.clean) {
    end(CloseReason::upstream_lost, "the connection to the provider was lost: " + said, now);
  } else if (provider_error_ || link.close_code >= 4000 || link.close_code == 1011) {
    end(CloseReason::upstream_error, "the provider ended the session: " + said, now);
  } else {
    end(CloseReason::upstream_closed, said, now);
  }
}

void RealtimeSession::upstream_unavailable(CloseReason reason, const std::string& why, Moment now) {
  end(reason, why, now);
}

void RealtimeSession::time_passed(Moment now) {
  if (ended()) return;
  if (pending_reason_) {
    finish_if_transcribed(now);
    return;
  }
  const std::int64_t left_ms = started_ms_ + options_.max_duration_ms - now.mono_ms;
  if (left_ms <= options_.ending_notice_ms && left_ms > 0) {
    tell_ending(CloseReason::max_duration, left_ms);
  }
  if (left_ms <= 0) {
    end(CloseReason::max_duration, "the session reached its longest duration", now);
  } else if (now.mono_ms >= active_ms_ + options_.idle_timeout_ms) {
    end(CloseReason::idle_timeout, "nobody spoke or wrote for too long", now);
  } else if (upstream_open_ && !created_ && now.mono_ms >= created_deadline_ms_) {
    end(CloseReason::upstream_lost, "the provider accepted the connection and said nothing", now);
  } else if (!client_is_behind()) {
    client_stuck_since_ms_ = 0;
  } else if (client_stuck_since_ms_ == 0 || client_taken_then_ != to_client_.taken()) {
    client_stuck_since_ms_ = now.mono_ms;
    client_taken_then_ = to_client_.taken();
  } else if (now.mono_ms >= client_stuck_since_ms_ + options_.slow_client_timeout_ms) {
    end(CloseReason::slow_client, "the client does not read", now);
  }
}

void RealtimeSession::journal_failed(Moment now) {
  to_client_.drop_unsaved(journal_.durable());
  to_upstream_.drop_unsaved(journal_.durable());
  end(CloseReason::storage_failure, "the transcript can not be kept", now);
}

void RealtimeSession::end(CloseReason reason, const std::string& why, Moment now) {
  if (ended()) return;
  // Who left while words were still to come was first, whatever ends the wait for them.
  const CloseReason first = pending_reason_.value_or(reason);
  why_ = pending_reason_ ? pending_why_ : why;
  final_ = finalise(transcript_, now.wall);
  final_sequence_ = journal_.close(identity_.attempt, Ending{first, now.wall, final_});
  // Not before: where memory was short, the session has not ended, and it can be tried again.
  reason_ = first;
  to_upstream_.clear();
  if (!client_attached_) return;
  const bool kept = final_sequence_ != 0 && !journal_.failed();
  if (!kept) to_client_.drop_unsaved(journal_.durable());
  if (deserves_error_event(reason)) {
    send_error("server_error", std::string(to_string(reason)), why);
  }
  if (reason == CloseReason::server_shutdown) tell_ending(reason, 0);
  if (identity_.extension_events && kept) {
    answer_client(own_message(ended_event(identity_.session_id, reason, own_event_id())),
                  final_sequence_);
  }
}

bool RealtimeSession::wants_client() const {
  // A client can be answered without the provider, too: what it is told about events that were
  // refused comes on top of a full queue, and must not do so for ever.
  return !ended() && client_attached_ && !journal_.crowded() &&
         to_upstream_.bytes() < options_.upstream_queue_bytes_max &&
         to_client_.bytes() < 2 * options_.client_queue_bytes_max;
}

bool RealtimeSession::wants_upstream() const {
  return !ended() && !journal_.crowded() && !client_queue_full();
}

bool RealtimeSession::client_queue_full() const {
  return to_client_.bytes() >= options_.client_queue_bytes_max;
}

bool RealtimeSession::client_is_behind() const {
  return client_queue_full() && to_client_.ready(journal_.durable());
}

bool RealtimeSession::settled() const {
  return ended() && (journal_.failed() || final_sequence_ <= journal_.durable());
}

std::int64_t RealtimeSession::next_deadline_ms() const {
  if (ended()) return never;
  if (pending_reason_) return grace_deadline_ms_;
  const std::int64_t longest = started_ms_ + options_.max_duration_ms;
  std::int64_t next = std::min(longest, active_ms_ + options_.idle_timeout_ms);
  if (identity_.extension_events && !ending_told_) {
    next = std::min(next, longest - options_.ending_notice_ms);
  }
  if (upstream_open_ && !created_) next = std::min(next, created_deadline_ms_);
  if (client_is_behind()) {
    next = std::min(next, client_stuck_since_ms_ == 0
                              ? std::int64_t{0}
                              : client_stuck_since_ms_ + options_.slow_client_timeout_ms);
  }
  return next;
}

void RealtimeSession::answer_client(Message message, Sequence needs) {
  if (client_attached_) to_client_.push(std::move(message), needs);
}

void RealtimeSession::send_error(std::string type, std::string code, std::string message,
                                 std::string param, std::string client_event_id) {
  const ErrorEvent error{std::move(type), std::move(code), std::move(message), std::move(param),
                         std::move(client_event_id)};
  answer_client(own_message(to_json(error, own_event_id())));
}

void RealtimeSession::tell_turns() {
  if (settled_turns_.empty()) return;
  const auto turns = transcript_.turns();
  for (const auto& [item_id, needs] : std::exchange(settled_turns_, {})) {
    const auto placed = std::find_if(turns.begin(), turns.end(),
                                     [&id = item_id](const Turn& t) { return t.item_id == id; });
    if (placed == turns.end()) continue;
    answer_client(own_message(turn_event(*placed, own_event_id())), needs);
  }
}

void RealtimeSession::tell_ending(CloseReason reason, std::int64_t in_ms) {
  if (!identity_.extension_events || std::exchange(ending_told_, true)) return;
  answer_client(own_message(ending_event(identity_.session_id, reason, in_ms, own_event_id())));
}

std::string RealtimeSession::own_event_id() {
  return std::string(own_event_prefix) + identity_.session_id + "_" + std::to_string(++own_events_);
}

}  // namespace verbatim::session
