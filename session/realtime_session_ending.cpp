// Deadlines, and how a session ends or leaves this process. Part of RealtimeSession, on its thread.
#include <utility>

#include "session/protocol/event_reader.hpp"
#include "session/protocol/message_kind.hpp"
#include "session/realtime_session.hpp"
#include "session/relay_events.hpp"

namespace verbatim::session {

namespace {

RealtimeSession::Outcome outcome_of(const FinalTranscript& transcript) {
  RealtimeSession::Outcome outcome;
  outcome.turns = transcript.turns.size();
  for (const Turn& turn : transcript.turns)
    ++outcome
          .turn_counts[static_cast<std::size_t>(turn.role)][static_cast<std::size_t>(turn.status)];
  outcome.complete = transcript.complete;
  outcome.used = transcript.used;
  return outcome;
}

}  // namespace

Changes RealtimeSession::time_passed(Moment now) {
  handle_time(now);
  return take_changes();
}

void RealtimeSession::handle_time(Moment now) {
  if (ended()) return;
  if (pending_reason_) {
    finish_if_transcribed(now);
    return;
  }
  if (held_until_ms_ != 0 && now.mono_ms >= held_until_ms_) {
    held_until_ms_ = 0;
    release_client();
  }
  if (held_created_ && now.mono_ms >= held_created_->until_ms) release_created();
  if (pace_.holds()) note(Change::client_readable);
  pace_.time_passed(now.mono_ms);
  if (detached_ && speech_open_ && now.mono_ms >= detached_->commit_at_ms) {
    detached_->commit_at_ms = never;
    queue_upstream(own_message(commit_event()));
  }
  if (detached_ && now.mono_ms >= detached_->until_ms) {
    const Detached over = *std::exchange(detached_, std::nullopt);
    note(Change::counts);
    to_client_.clear();
    leave_for_good(over.reason, over.why, now);
    return;
  }
  while (const auto notice = budget_.time_passed(now.mono_ms)) handle_limit(*notice, now);
  if (ended()) return;
  rotation_waits_ = rotation_due(now) && !is_silent();
  if (wants_dial(now)) note(Change::dial);
  if (current_ && current_->is_open() && !created_ && now.mono_ms >= created_deadline_ms_) {
    finish(CloseReason::upstream_lost, "the provider accepted the connection and said nothing",
           now);
  } else if (next_ && next_->is_open() && now.mono_ms >= prepare_deadline_ms()) {
    upstream_failed("the provider did not accept the conversation in time", now);
  } else if (!client_is_behind()) {
    client_stuck_since_ms_ = 0;
  } else if (client_stuck_since_ms_ == 0 || client_taken_then_ != to_client_.taken()) {
    client_stuck_since_ms_ = now.mono_ms;
    client_taken_then_ = to_client_.taken();
  } else if (now.mono_ms >= client_stuck_since_ms_ + options_.slow_client_timeout_ms) {
    finish(CloseReason::slow_client, "the client reads too slowly", now);
  }
}

Changes RealtimeSession::journal_failed(Moment now) {
  to_client_.drop_unsaved(journal_.durable());
  to_upstream_.drop_unsaved(journal_.durable());
  if (next_) next_->outbox().drop_unsaved(journal_.durable());
  note_dropped();
  finish(CloseReason::storage_failure, "the transcript cannot be saved", now);
  if (settled()) note(Change::settled);
  return take_changes();
}

Changes RealtimeSession::end(CloseReason reason, const std::string& why, Moment now) {
  finish(reason, why, now);
  return take_changes();
}

void RealtimeSession::finish(CloseReason reason, const std::string& why, Moment now) {
  if (ended()) return;
  // A client that left while transcriptions were awaited gives the reason; the end of that wait
  // does not.
  const CloseReason first = pending_reason_.value_or(reason);
  why_ = pending_reason_ ? pending_why_ : why;
  transcript_.apply({{}, meter_.audio()}, now.wall);
  try {
    for (AnswerAudio& sent : transcript_.unrecorded_audio())
      transcript_.apply({{}, std::move(sent)}, now.wall);
    Ending ending{first, 0, finalise(transcript_, now.wall)};
    ending.ended_at = transcript_.latest();
    outcome_ = outcome_of(ending.transcript);
    budget_.hand_on(outcome_.used);
    final_sequence_ = journal_.close(identity_.attempt, std::move(ending));
  } catch (const SpillError& error) {
    return end_unread(error.what());
  }
  // Set the reason only now: if memory was short above, the session has not ended and this can be
  // tried again.
  reason_ = first;
  close_what_is_open(reason, why);
}

// The journal has every event but no final record. The next start makes the transcript from the
// journal.
void RealtimeSession::end_unread(const std::string& error) {
  budget_.hand_on(transcript_.used());
  reason_ = CloseReason::storage_failure;
  why_ = error + "; the next start of the server makes the transcript from the journal";
  close_what_is_open(*reason_, "the transcript cannot be read");
}

Changes RealtimeSession::suspend(const std::string& why, Moment now) {
  if (ended()) return take_changes();
  if (pending_reason_ || !created_ || settings_.empty() || options_.resume_window_ms == 0)
    return end(CloseReason::server_shutdown, why, now);
  if (!record_audio(now)) return take_changes();
  if (const auto audio = meter_.unwritten(); audio && !record({{}, *audio}, now))
    return take_changes();
  budget_.hand_on(transcript_.used());
  final_sequence_ = journal_.suspend(identity_.attempt, {settings_.to_json(), now.wall});
  if (final_sequence_ == 0)
    return end(CloseReason::storage_failure, "the transcript cannot be saved", now);
  suspended_ = true;
  reason_ = CloseReason::server_shutdown;
  why_ = why;
  close_what_is_open(CloseReason::server_shutdown, why);
  return take_changes();
}

void RealtimeSession::close_what_is_open(CloseReason reason, const std::string& why) {
  note(Change::ended | Change::counts | Change::client_writable | Change::awaits_journal);
  if (settled()) note(Change::settled);
  to_upstream_.clear();
  release_created();
  detached_.reset();
  to_client_.release();
  if (!client_attached_) {
    to_client_.clear();
    return;
  }
  const bool kept = final_sequence_ != 0 && !journal_.failed();
  if (!kept) to_client_.drop_unsaved(journal_.durable());
  if (deserves_error_event(reason)) {
    send_error("server_error", std::string(to_string(reason)), why);
  }
  if (reason == CloseReason::server_shutdown && identity_.extension_events) {
    answer_client(own_message(ending_event(identity_.session_id, reason, 0, own_event_id())));
  }
  if (identity_.extension_events && kept && !suspended_) {
    answer_client(own_message(ended_event(identity_.session_id, reason, own_event_id())),
                  final_sequence_);
  }
}

Changes RealtimeSession::take_up(Transcript transcript, SessionSettings settings, Moment now) {
  transcript_ = std::move(transcript);
  if (settings.leaves_transcription_open() && settings_.hides_transcription())
    settings.hide_transcription(true);  // as the client's token sets it
  settings_ = std::move(settings);
  transcribes_ = transcribes_ || settings_.transcribes();
  meter_.resume({transcript_.used().input_audio_ms, transcript_.used().output_audio_ms});
  const std::string shown = settings_.created_message({});
  meter_.configured(peek_type(shown), shown);
  policy_.configured(peek_type(shown), shown);
  created_ = true;
  // above every number that the other process used
  own_events_ = static_cast<std::uint64_t>(now.wall);
  client_attached_ = false;
  dial_wanted_ = false;
  upstreams_ = 1;
  outage_ =
      Outage{CloseReason::upstream_lost, "the conversation could not be continued", now.mono_ms};
  // The answer under way was lost with the other process's connection: record its end.
  if (transcript_.is_answering())
    record({{}, UpstreamLost{std::string(to_string(CloseReason::upstream_lost))}}, now);
  note(Change::dial | Change::deadline);
  return take_changes();
}

}  // namespace verbatim::session
