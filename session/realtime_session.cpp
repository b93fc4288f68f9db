#include "session/realtime_session.hpp"

#include <algorithm>
#include <utility>

#include "base/assert.hpp"
#include "session/protocol/envelope.hpp"
#include "session/protocol/message_kind.hpp"
#include "session/relay_events.hpp"
#include "session/snapshot.hpp"

namespace verbatim::session {

namespace {

BudgetLimits budget_limits(const SessionOptions& options) {
  BudgetLimits limits = options.budget;
  limits.max_duration_ms = options.max_duration_ms;
  limits.idle_timeout_ms = options.idle_timeout_ms;
  limits.notice_ms = options.ending_notice_ms;
  return limits;
}

ClientLimits client_limits(const SessionOptions& options) {
  return {options.resume_window_ms, options.transcription_grace_ms, options.slow_client_timeout_ms,
          options.client_queue_bytes_max, options.resume_buffer_bytes_max};
}

UpstreamLimits upstream_limits(const SessionOptions& options) {
  UpstreamLimits limits{options.created_timeout_ms, options.upstream_queue_bytes_max,
                        options.item_bytes_max, options.reconnect, options.rotate_after_ms};
  if (!options.provider->rebuilds()) limits.reconnect.attempts_max = limits.rotate_after_ms = 0;
  return limits;
}

}  // namespace

RealtimeSession::RealtimeSession(SessionIdentity identity, SessionOptions options,
                                 transcript::Journal& journal, Moment now)
    : identity_(std::move(identity)),
      options_(std::move(options)),
      journal_(journal, identity_.attempt, {options_.journal_share_bytes, options_.item_bytes_max}),
      client_(client_limits(options_), identity_.dialect, identity_.extension_events),
      upstream_(*options_.provider, upstream_limits(options_)),
      policy_(options_.policy, options_.session_config_json, options_.model, *options_.provider),
      budget_(budget_limits(options_), options_.users_usage, now.mono_ms),
      pace_(options_.users_pace ? options_.users_pace
                                : std::make_shared<PaceAccount>(options_.journal_bytes_per_second)),
      answers_(options_.provider->open_answers(options_.open_answers_bytes_max)) {
  budget_.listen(client_.extension_events());
  if (const auto wanted = provider().read_session(options_.session_config_json).wants_transcription)
    settings_.hide_transcription(!*wanted);
  dialogue_.transcribes = options_.transcription;
  if (options_.recording) begin_recording(now);
  transcript_.not_before(identity_.started_at);
  pace_.time_passed(now.mono_ms);  // the user's other sessions may be above the rate
}

// ---- The client ----

Changes RealtimeSession::client_said(protocol::Message message, Moment now) {
  handle_client(message, now);
  return take_changes();
}

void RealtimeSession::handle_client(protocol::Message& message, Moment now) {
  if (ended() || !client_.attached()) return;
  client_.received(message);
  if (protocol::peek_type(message.bytes) == "verbatim.end") {
    finish(transcript::CloseReason::client_ended, "the client sent verbatim.end", now);
    return;
  }
  protocol::ClientMessage said =
      provider().check_client(message.bytes, options_.extra_client_events, policy_.values_max());
  std::optional<protocol::Refusal>& refusal = said.refusal;
  if (!refusal) refusal = policy_.refuse(said.type, message.bytes);
  if (refusal) {
    ++counts_.refused_client_messages;
    note(Change::counts);
    send_error("invalid_request_error", refusal->code, refusal->message, refusal->param,
               refusal->event_id);
    return;
  }
  message.kind = protocol::kind_of(said.traffic);
  if (said.traffic == protocol::Traffic::audio) {
    audio_uncommitted_ = true;
    meter_.client_sent(said.audio_bytes);
    if (recorder_) record_client_audio(message.bytes, now);
    if (ended()) return;
    upstream_.push(std::move(message));
    spend(now);
    return;
  }
  budget_.active(now.mono_ms);  // raw microphone frames do not count as activity
  const protocol::ClientRequest request = said.request;
  if (request == protocol::ClientRequest::create_response) first_audio_.asked(message.received_us);
  const bool settings = request == protocol::ClientRequest::update_session ||
                        request == protocol::ClientRequest::update_transcription_session;
  const protocol::SessionFacts asks = settings ? facts_in(message.bytes) : protocol::SessionFacts();
  if (request == protocol::ClientRequest::update_session && asks.transcribes)
    become_transcription();
  if (answered_here(request, message, now)) return;
  if (request == protocol::ClientRequest::commit_audio ||
      request == protocol::ClientRequest::clear_audio)
    audio_uncommitted_ = false;
  transcript::Sequence needs = 0;
  const auto clean = without_secrets(message.bytes);
  if (auto event = provider().read_client(clean ? *clean : message.bytes)) {
    const auto recorded = record(std::move(*event), now);
    if (!recorded) return;
    needs = *recorded;
    send_turn_events();
  }
  if (request == protocol::ClientRequest::update_session) meter_.requested(asks.formats);
  meter_.client_sent(said.audio_bytes);
  auto queued = std::make_shared<const protocol::Message>(std::move(message));
  unanswered_.asked(request, queued, needs,
                    request == protocol::ClientRequest::create_item
                        ? provider().read_client(queued->bytes)
                        : std::nullopt);
  if (settings) dialogue().client_asked(queued, asks);
  upstream_.push(placed_where_known(std::move(queued)), needs);
  spend(now);
}

SettingsDialogue RealtimeSession::dialogue() {
  return {
      dialogue_,
      {provider(), settings_, upstream_, client_, policy_, unanswered_},
      {options_.session_config_json, options_.transcription_model, options_.input_transcription}};
}

ItemRequests RealtimeSession::item_requests() const {
  return {provider(),
          transcript_,
          upstream_,
          unanswered_,
          {facts_.speaks, !settings_.hides_transcription()}};
}

bool RealtimeSession::answered_here(protocol::ClientRequest request,
                                    const protocol::Message& message, Moment now) {
  if (!upstream_.was_replaced() && counts_.resumed == 0) return false;
  const ItemRequests items = item_requests();
  const auto answer = items.answer(request, message);
  if (!answer) return false;
  transcript::Sequence needs = journal_.last();
  if (answer->event) {
    const auto recorded = record(*answer->event, now);
    if (!recorded) return true;
    needs = *recorded;
  }
  for (std::string& shows : answer->messages([this] { return own_event_id(); }))
    client_.answer(protocol::own_message(std::move(shows)), needs);
  if (answer->event) send_turn_events();
  return true;
}

protocol::MessagePtr RealtimeSession::placed_where_known(protocol::MessagePtr message) {
  if (!upstream_.was_replaced()) return message;
  auto moved = item_requests().moved(*message);
  if (!moved) return message;
  unanswered_.replaced(message, moved->message, std::move(moved->previous));
  return std::move(moved->message);
}

// A client that names no model shows its kind of session only by its first update of the settings,
// but the provider needs it in the URL. So a new connection is dialled, as if it were the first.
void RealtimeSession::become_transcription() {
  if (transcribes() || !options_.model.empty() || !transcript_.chain().empty()) return;
  dialogue_.transcribes = true;
  hides_created_ = upstream_.created() && !dialogue_.held_created;
  dialogue().start_over();
  upstream_.start_over();
  const bool hides_words = settings_.hides_transcription();
  settings_ = {};
  facts_ = {};
  if (hides_words) settings_.hide_transcription(true);
  unanswered_ = {};
}

Changes RealtimeSession::refuse_frame(const std::string& why) {
  if (ended() || !client_.attached()) return take_changes();
  client_.release();  // a client that sends has its listener attached
  ++counts_.refused_client_messages;
  note(Change::counts);
  send_error("invalid_request_error", "invalid_frame", why);
  return take_changes();
}

Changes RealtimeSession::refuse_connection(const std::string& code, const std::string& why) {
  ++counts_.refused_client_messages;
  note(Change::counts);
  client_.push_last_words(error_message({"invalid_request_error", code, why, {}, {}}));
  return take_changes();
}

Changes RealtimeSession::queue_first(protocol::Message message) {
  client_.push(std::move(message));
  return take_changes();
}

Changes RealtimeSession::client_gone(const LinkEnd& link, Moment now) {
  if (!client_.attached()) return take_changes();
  if (recorder_) recorder_->client_gone();
  const bool may_return = client_.gone(link, !ended());
  if (ended()) return take_changes();
  const transcript::CloseReason reason = link.refused ? transcript::CloseReason::policy
                                         : link.clean ? transcript::CloseReason::client_closed
                                                      : transcript::CloseReason::client_lost;
  if (may_return) {
    client_.detach(reason, link.reason, now);
    journal_.mark(transcript::SessionStatus::detached);
  } else {
    leave_for_good(reason, link.reason, now);
  }
  return take_changes();
}

// A client that leaves right after speaking has speech that is still being transcribed. A client
// that leaves in mid-speech sends no more silence, so the provider cannot detect the end: commit
// it.
void RealtimeSession::leave_for_good(transcript::CloseReason reason, const std::string& why,
                                     Moment now) {
  pending_reason_ = reason;
  pending_why_ = why;
  if (speech_open_) upstream_.push(protocol::own_message(provider().commit_audio(commit_event_id)));
  grace_deadline_ms_ = now.mono_ms + options_.transcription_grace_ms;
  note(Change::deadline);
  finish_if_transcribed(now);
}

bool RealtimeSession::transcription_expected() const {
  return dialogue_.transcription_on && (speech_open_ || transcript_.awaiting_transcription());
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
  note(Change::counts);
  if (!client_.attached()) journal_.mark(transcript::SessionStatus::live);
  pending_reason_.reset();
  budget_.active(now.mono_ms);
  budget_.listen(how.extension_events);
  const bool replayed = client_.attach(how);
  if (!replayed) {
    ++counts_.resumed_with_snapshot;
    resync(how, now);
  }
  if (!how.extension_events) return take_changes();
  const ResumeInfo resume{true, replayed, client_.outbox().next_number() - 1};
  client_.push_first(protocol::own_message(
      session_event(identity_.session_id, identity_.attempt_number, options_.resume_window_ms,
                    resume, options_.recording != nullptr)));
  return take_changes();
}

void RealtimeSession::resync(const ClientReturn& how, Moment now) {
  client_.restart(how.after.value_or(0));
  if (recorder_ && !keep_runs(recorder_->skip_unsent(), now)) return;
  journal_.take_settled_turns();  // the snapshot shows them
  // the provider's session is still to come
  if ((settings_.empty() || dialogue_.held_created) && !how.after) return;
  dialogue_.held_created.reset();
  if (how.after && !how.extension_events) {
    send_error("server_error", "messages_not_kept",
               "The messages after number " + std::to_string(*how.after) +
                   " are no longer kept; the conversation's items follow instead.");
  }
  for (std::string& message :
       snapshot(provider(), transcript_, *answers_, settings_, options_.item_bytes_max,
                [this] { return own_event_id(); })) {
    if (auto allowed = policy_.without_hidden(provider().peek_server(message).type, message))
      message = std::move(*allowed);
    client_.answer(protocol::own_message(std::move(message)), journal_.last());
  }
  if (!how.extension_events) client_.hold_next(how.after.has_value(), now);
}

std::optional<std::string> RealtimeSession::without_secrets(std::string_view message) const {
  return options_.secrets ? options_.secrets->cut_frame(message) : std::nullopt;
}

std::optional<transcript::Sequence> RealtimeSession::record(transcript::Event event, Moment now) {
  const auto recorded = journal_.record(event, transcript_, now.wall, client_.extension_events());
  if (!recorded) {
    finish(transcript::CloseReason::storage_failure, "the transcript cannot be saved", now);
    return std::nullopt;
  }
  if (options_.observer && recorded->needs != 0) options_.observer->recorded(event, now);
  if (recorded->needs != 0 && !may_journal(recorded->bytes, now)) return std::nullopt;
  if (recorder_ && recorded->needs != 0 && !keep_runs(recorder_->see(event), now))
    return std::nullopt;
  return recorded->needs;
}

/// A session that journals too much in a minute ends. One that is only above its user's rate is not
/// read for a while.
bool RealtimeSession::may_journal(std::size_t bytes, Moment now) {
  const bool held = pace_.holds();
  pace_.brought(bytes, now.mono_ms);
  if (held != pace_.holds()) note(held ? Change::client_readable : Change::deadline);
  const auto notice = budget_.journaled(bytes, now.mono_ms);
  if (!notice) return true;
  handle_limit(*notice, now);
  return false;
}

// ---- Outputs ----

protocol::MessagePtr RealtimeSession::take_for_client() {
  VERBATIM_EXPECTS(client_.outbox().ready(journal_.durable()));
  return client_.take();
}

bool RealtimeSession::wants_client() const {
  return !ended() && client_.attached() && !pace_.holds() && !journal_.crowded() &&
         !journal_.over_share(journal_.durable()) && !upstream_.queue_full() &&
         client_.takes_answers();
}

bool RealtimeSession::wants_upstream() const {
  return !ended() && !journal_.crowded() && !journal_.over_share(journal_.durable()) &&
         !(client_.attached() && client_.queue_full());
}

bool RealtimeSession::waits_for_journal(transcript::Sequence durable) const {
  if (ended() ? !settled_at(durable) : journal_.crowded() || journal_.over_share(durable))
    return true;
  return client_.waits_for(durable) || upstream_.waits_for(durable);
}

bool RealtimeSession::settled() const { return settled_at(journal_.durable()); }

bool RealtimeSession::settled_at(transcript::Sequence durable) const {
  return ended() && (journal_.failed() || journal_.is_final_durable(durable));
}

bool RealtimeSession::kept() const {
  return journal_.final() != 0 && journal_.is_final_durable(journal_.durable());
}

std::int64_t RealtimeSession::next_deadline_ms() const {
  if (ended()) return never;
  if (pending_reason_) return grace_deadline_ms_;
  std::int64_t next = std::min({budget_.next_deadline_ms(), upstream_.next_deadline_ms(),
                                client_.next_deadline_ms(journal_.durable(), speech_open_),
                                dialogue_.next_deadline_ms()});
  if (pace_.holds()) next = std::min(next, pace_.ends_at_ms());
  return next;
}

Changes RealtimeSession::take_changes() {
  return std::exchange(changes_, Changes()) | client_.take_changes() | upstream_.take_changes() |
         journal_.take_changes() | dialogue_.take_changes();
}

Changes RealtimeSession::journal_moved(Moment now) {
  if (journal_.failed()) return journal_failed(now);
  const transcript::Sequence durable = journal_.durable();
  client_.journal_moved(durable);
  upstream_.journal_moved(durable);
  if (wants_client()) note(Change::client_readable);
  if (wants_upstream()) note(Change::upstream_readable);
  // One watermark for both: it may move between two reads, and then neither would be noted.
  if (settled_at(durable)) note(Change::settled);
  if (waits_for_journal(durable)) note(Change::awaits_journal);
  return take_changes();
}

void RealtimeSession::send_error(std::string type, std::string code, std::string message,
                                 std::string param, std::string client_event_id) {
  client_.answer(error_message({std::move(type), std::move(code), std::move(message),
                                std::move(param), std::move(client_event_id)}));
}

protocol::Message RealtimeSession::error_message(const protocol::ErrorEvent& error) {
  return protocol::own_message(provider().error(error, own_event_id()));
}

void RealtimeSession::send_turn_events() {
  if (!journal_.has_settled_turns()) return;
  for (const auto& [item_id, needs] : journal_.take_settled_turns()) {
    if (const auto turn = transcript_.numbered_turn(item_id))
      client_.answer(protocol::own_message(turn_event(*turn, own_event_id())), needs);
  }
}

std::optional<transcript::Sequence> RealtimeSession::record_usage(
    std::optional<transcript::Event> transcription, bool response_over, Moment now) {
  transcript::Sequence needs = 0;
  if (response_over) {
    const auto audio_needs = record_audio(now);
    if (!audio_needs) return std::nullopt;
    needs = *audio_needs;
    const auto wait_needs = record_first_audio(now);
    if (!wait_needs) return std::nullopt;
    needs = std::max(needs, *wait_needs);
    if (const auto audio = meter_.unwritten()) {
      const auto recorded = record({{}, *audio}, now);
      if (!recorded) return std::nullopt;
      needs = *recorded;
    }
  }
  if (!transcription) return needs;
  return record(std::move(*transcription), now);
}

std::optional<transcript::Sequence> RealtimeSession::record_audio(Moment now) {
  transcript::Sequence needs = 0;
  for (transcript::AnswerAudio& sent : transcript_.unrecorded_audio()) {
    const auto recorded = record({{}, std::move(sent)}, now);
    if (!recorded) return std::nullopt;
    needs = *recorded;
  }
  return needs;
}

std::optional<transcript::Sequence> RealtimeSession::record_first_audio(Moment now) {
  transcript::Sequence needs = 0;
  for (transcript::FirstAudio& measured : first_audio_.take_measured()) {
    const auto recorded = record({{}, std::move(measured)}, now);
    if (!recorded) return std::nullopt;
    needs = *recorded;
  }
  return needs;
}

std::optional<transcript::Sequence> RealtimeSession::record_settings(Moment now) {
  if (!settings_.unrecorded()) return transcript::Sequence{0};
  // Until the provider has accepted what the token binds, no process may continue without it.
  if (dialogue_.requests.has_own() && binds_settings(options_.session_config_json))
    return transcript::Sequence{0};
  settings_.was_recorded();
  return record({{}, transcript::SettingsChanged{settings_.to_json()}}, now);
}

void RealtimeSession::spend(Moment now) {
  if (ended()) return;
  transcript::Usage all = transcript_.used();
  all.input_audio_ms = meter_.audio().input_ms;
  all.output_audio_ms = meter_.audio().output_ms;
  while (const auto notice = budget_.spent(all)) handle_limit(*notice, now);
}

void RealtimeSession::handle_limit(const Budget::Notice& notice, Moment now) {
  last_limit_ = notice;
  ++counts_.limit_notices;
  note(Change::counts);
  if (notice.reached) {
    finish(close_reason(notice.limit), reached(notice.limit), now);
  } else if (client_.extension_events()) {
    client_.answer(
        protocol::own_message(limit_event(identity_.session_id, notice, own_event_id())));
  }
}

std::string RealtimeSession::own_event_id() {
  return std::string(own_event_prefix) + identity_.session_id + "_" + std::to_string(++own_events_);
}

}  // namespace verbatim::session
