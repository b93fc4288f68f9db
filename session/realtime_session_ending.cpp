// Deadlines, and how a session ends or leaves this process. Part of RealtimeSession, on its thread.
#include <algorithm>
#include <utility>

#include "session/protocol/message_kind.hpp"
#include "session/realtime_session.hpp"
#include "session/relay_events.hpp"
#include "session/snapshot.hpp"

namespace verbatim::session {

namespace {

Outcome outcome_of(const transcript::FinalTranscript& transcript) {
  Outcome outcome;
  outcome.turns = transcript.turns.size();
  for (const transcript::Turn& turn : transcript.turns)
    ++outcome
          .turn_counts[static_cast<std::size_t>(turn.role)][static_cast<std::size_t>(turn.status)];
  outcome.complete = transcript.complete;
  for (const transcript::Gap& gap : transcript.gaps)
    outcome.gaps[static_cast<std::size_t>(gap.kind)] = true;
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
  client_.time_passed(now);
  dialogue().time_passed(now);
  if (pace_.holds()) note(Change::client_readable);
  pace_.time_passed(now.mono_ms);
  if (speech_open_ && client_.commit_due(now))
    upstream_.push(protocol::own_message(provider().commit_audio(commit_event_id)));
  if (const auto over = client_.window_over(now)) {
    leave_for_good(over->first, over->second, now);
    return;
  }
  while (const auto notice = budget_.time_passed(now.mono_ms)) handle_limit(*notice, now);
  if (ended()) return;
  switch (upstream_.time_passed(now, is_silent())) {
    case UpstreamLink::Late::created:
      finish(transcript::CloseReason::upstream_lost,
             "the provider accepted the connection and said nothing", now);
      return;
    case UpstreamLink::Late::preparation:
      upstream_failed("the provider did not accept the conversation in time", now);
      return;
    case UpstreamLink::Late::nothing:
      break;
  }
  if (client_.is_too_slow(now, journal_.durable()))
    finish(transcript::CloseReason::slow_client, "the client reads too slowly", now);
}

Changes RealtimeSession::journal_failed(Moment now) {
  client_.drop_unsaved(journal_.durable());
  upstream_.drop_unsaved(journal_.durable());
  finish(transcript::CloseReason::storage_failure, "the transcript cannot be saved", now);
  if (settled()) note(Change::settled);
  return take_changes();
}

Changes RealtimeSession::end(transcript::CloseReason reason, const std::string& why, Moment now) {
  finish(reason, why, now);
  return take_changes();
}

void RealtimeSession::finish(transcript::CloseReason reason, const std::string& why, Moment now) {
  if (ended()) return;
  // A client that left while transcriptions were awaited gives the reason; the end of that wait
  // does not.
  const transcript::CloseReason first = pending_reason_.value_or(reason);
  why_ = pending_reason_ ? pending_why_ : why;
  end_recording(now);
  transcript_.apply({{}, meter_.audio()}, now.wall);
  try {
    for (transcript::AnswerAudio& sent : transcript_.unrecorded_audio())
      transcript_.apply({{}, std::move(sent)}, now.wall);
    for (transcript::FirstAudio& measured : first_audio_.take_measured()) {
      const transcript::Event event{{}, std::move(measured)};
      transcript_.apply(event, now.wall);
      if (options_.observer) options_.observer->recorded(event, now);
    }
    transcript::Ending ending{first, 0, transcript::finalise(transcript_, now.wall)};
    ending.ended_at = transcript_.latest();
    outcome_ = outcome_of(ending.transcript);
    budget_.hand_on(outcome_.used);
    journal_.close(std::move(ending));
  } catch (const transcript::SpillError& error) {
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
  reason_ = transcript::CloseReason::storage_failure;
  why_ = error + "; the next start of the relay makes the transcript from the journal";
  close_what_is_open(*reason_, "the transcript cannot be read");
}

Changes RealtimeSession::suspend(const std::string& why, Moment now) {
  if (ended()) return take_changes();
  if (pending_reason_ || !upstream_.created() || settings_.empty() ||
      options_.resume_window_ms == 0 || !provider().rebuilds())
    return end(transcript::CloseReason::server_shutdown, why, now);
  if (!record_audio(now) || !record_first_audio(now)) return take_changes();
  if (const auto audio = meter_.unwritten(); audio && !record({{}, *audio}, now))
    return take_changes();
  end_recording(now);
  budget_.hand_on(transcript_.used());
  if (!journal_.suspend({settings_.to_json(), now.wall}))
    return end(transcript::CloseReason::storage_failure, "the transcript cannot be saved", now);
  suspended_ = true;
  reason_ = transcript::CloseReason::server_shutdown;
  why_ = why;
  close_what_is_open(transcript::CloseReason::server_shutdown, why);
  return take_changes();
}

void RealtimeSession::close_what_is_open(transcript::CloseReason reason, const std::string& why) {
  note(Change::ended | Change::awaits_journal);
  if (settled()) note(Change::settled);
  upstream_.clear();
  dialogue().release_created();
  if (!client_.end()) return;
  const bool kept = journal_.final() != 0 && !journal_.failed();
  if (!kept) client_.drop_unsaved(journal_.durable());
  if (transcript::deserves_error_event(reason)) {
    send_error("server_error", std::string(transcript::to_string(reason)), why);
  }
  if (reason == transcript::CloseReason::server_shutdown && client_.extension_events()) {
    client_.answer(
        protocol::own_message(ending_event(identity_.session_id, reason, 0, own_event_id())));
  }
  if (client_.extension_events() && kept && !suspended_) {
    const bool by_operator = reason == transcript::CloseReason::by_operator;
    client_.answer(protocol::own_message(
                       ended_event(identity_.session_id, reason, own_event_id(),
                                   by_operator ? std::string_view(why) : std::string_view())),
                   journal_.final());
  }
}

Changes RealtimeSession::take_up(transcript::Transcript transcript,
                                 protocol::SessionSettings settings, Moment now) {
  transcript_ = std::move(transcript);
  if (settings.leaves_transcription_open() && settings_.hides_transcription())
    settings.hide_transcription(true);  // as the client's token sets it
  settings_ = std::move(settings);
  settings_.changed();
  facts_ = provider().read_session(settings_.session_json());
  if (facts_.transcribes) dialogue_.transcribes = true;
  if (identity_.started_at != 0)
    budget_.began_before(std::max<std::int64_t>(0, now.wall - identity_.started_at));
  meter_.resume({transcript_.used().input_audio_ms, transcript_.used().output_audio_ms});
  const std::string shown = created_message(provider(), settings_, {});
  if (const auto formats = provider().read_server(shown).formats) meter_.configured(*formats);
  policy_.configured(provider().peek_server(shown).type, shown);
  // above every number that the other process used
  own_events_ = static_cast<std::uint64_t>(now.wall);
  client_.take_up();
  upstream_.take_up({transcript::CloseReason::upstream_lost,
                     "the conversation could not be continued", now.mono_ms});
  // The answer under way was lost with the other process's connection: record its end.
  if (transcript_.is_answering())
    record({{},
            transcript::UpstreamLost{
                std::string(transcript::to_string(transcript::CloseReason::upstream_lost))}},
           now);
  record_settings(now);  // the handover had them outside the journal
  return take_changes();
}

}  // namespace verbatim::session
