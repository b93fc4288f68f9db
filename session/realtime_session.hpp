// One live conversation as a state machine without I/O. Inputs are calls: the client or the
// provider sends, a connection opens or ends, time passes, the journal moves. Each returns what it
// changed. Outputs are the outboxes, the wanted dials and the events submitted to the journal. The
// session driver in server/relay does the I/O.
//
// A session outlives its connections (P8). A lost client may return within the resume window. A
// lost upstream connection, or one near the provider's session limit, is replaced by another that
// is given the conversation so far.
//
// Lives on one thread; the driver owns it. It ends once: the first end() wins, and only there the
// final record is submitted.
#pragma once

#include <array>
#include <cstdint>
#include <limits>
#include <memory>
#include <optional>
#include <string>
#include <vector>

#include "base/backoff.hpp"
#include "session/budget.hpp"
#include "session/changes.hpp"
#include "session/client_link.hpp"
#include "session/first_audio.hpp"
#include "session/item_requests.hpp"
#include "session/link_end.hpp"
#include "session/observer.hpp"
#include "session/outbox.hpp"
#include "session/outcome.hpp"
#include "session/pace.hpp"
#include "session/pending_requests.hpp"
#include "session/policy/policy.hpp"
#include "session/protocol/client_dialect.hpp"
#include "session/protocol/provider_dialects.hpp"
#include "session/protocol/secret_filter.hpp"
#include "session/protocol/session_settings.hpp"
#include "session/session_journal.hpp"
#include "session/session_recorder.hpp"
#include "session/settings_dialogue.hpp"
#include "session/transcript/close_reason.hpp"
#include "session/transcript/journal.hpp"
#include "session/transcript/spill.hpp"
#include "session/transcript/transcript.hpp"
#include "session/upstream_link.hpp"
#include "session/usage_meter.hpp"

namespace verbatim::session {

/// Most have no default here, because config/keys_*.cpp declare it: the owner sets them all.
struct SessionOptions {
  const protocol::ProviderDialect* provider =
      &protocol::default_provider_dialect();  ///< the protocol spoken
  std::int64_t idle_timeout_ms = 0;
  std::int64_t max_duration_ms = 0;
  std::int64_t ending_notice_ms = 0;    ///< time between the warning and the end
  std::int64_t created_timeout_ms = 0;  ///< longest time from the upgrade to the first message
  /// longest time that a full client queue may stand still
  std::int64_t slow_client_timeout_ms = 0;
  /// client gone: wait for speech that is being transcribed
  std::int64_t transcription_grace_ms = 0;
  std::size_t client_queue_bytes_max = 0;
  std::size_t upstream_queue_bytes_max = 0;
  /// bytes in the journal's queue before the session waits
  std::size_t journal_share_bytes = 0;
  std::size_t journal_bytes_per_second = 0;  ///< above it the client is not read; 0: no limit
  /// replaces that limit by one for all sessions of the user
  std::shared_ptr<PaceAccount> users_pace;
  bool input_transcription = false;
  std::string transcription_model;
  /// largest item JSON that is kept for another connection
  std::size_t item_bytes_max = 0;
  std::string session_config_json;  ///< session settings bound to the client's token; may be empty
  std::string model;                ///< model that the client or its token named; may be empty
  bool transcription = false;       ///< transcription session: the provider only transcribes speech
  std::vector<std::string> extra_client_events;
  policy::PolicyRules policy;
  std::shared_ptr<const protocol::SecretFilter> secrets;  ///< null: no secrets to remove
  BudgetLimits budget;                       ///< without the two clocks, which are set above
  std::shared_ptr<SharedUsage> users_usage;  ///< null: the user has no limits
  std::shared_ptr<Observer> observer;        ///< null: nothing watches the session
  std::shared_ptr<AudioSink> recording;      ///< null: its audio is not recorded

  std::int64_t resume_window_ms = 0;  ///< how long a lost client may return; 0: the session ends
  /// bytes of messages retained for a client that returns
  std::size_t resume_buffer_bytes_max = 0;
  /// bytes remembered of open answers, to end them if cut off
  std::size_t open_answers_bytes_max = 0;
  BackoffOptions reconnect;          ///< to the provider; no attempts: the session ends
  std::int64_t rotate_after_ms = 0;  ///< age at which an upstream connection is replaced; 0: never
};

struct SessionIdentity {
  std::string session_id;
  transcript::AttemptId attempt = 0;
  int attempt_number = 1;
  bool extension_events = false;  ///< the client asked for verbatim.* events
  /// the client's dialect; null: the provider's own
  const protocol::ClientDialect* dialect = nullptr;
  TimeMs started_at = 0;  ///< start of the attempt: no event has an earlier time
};

class RealtimeSession {
 public:
  RealtimeSession(SessionIdentity identity, SessionOptions options, transcript::Journal& journal,
                  Moment now);

  // --- The client ---
  Changes client_said(protocol::Message message, Moment now);
  /// The frame is not a message of the protocol: sends the client an error, and changes nothing
  /// else.
  Changes refuse_frame(const std::string& why);
  /// Closes the client connection, not the session. Queues an error event with `code` and `why`
  /// before all pending messages: the next message that is taken, and the last one to send.
  Changes refuse_connection(const std::string& code, const std::string& why);
  Changes client_gone(const LinkEnd& end, Moment now);
  /// The same client on a new connection. It replaces the former connection if that is still open.
  Changes client_returned(const ClientReturn& how, Moment now);

  // --- The provider ---
  Changes upstream_opened(UpstreamId upstream, Moment now);
  Changes upstream_said(UpstreamId upstream, protocol::Message message, Moment now);
  /// The provider sent a message above the size limit; the reader skipped it.
  Changes upstream_skipped(UpstreamId upstream, Moment now);
  Changes upstream_gone(UpstreamId upstream, const LinkEnd& end, Moment now);
  /// The provider could not be reached (`lost`) or refused the connection (`error`).
  Changes upstream_unavailable(UpstreamId upstream, transcript::CloseReason reason,
                               const std::string& why, Moment now);

  // --- Time, journal and end ---
  Changes time_passed(Moment now);
  /// More of the journal is durable, its queue has room again, or it has failed.
  Changes journal_moved(Moment now);
  /// The journal has failed: messages that are not durable now will never be sent.
  Changes journal_failed(Moment now);
  /// Ends the session; only the first call counts. `why` goes to the client and contains no
  /// secrets.
  Changes end(transcript::CloseReason reason, const std::string& why, Moment now);

  /// This process stops, but the session goes on elsewhere. Submits what another process needs and
  /// asks the client to come back. A session that cannot be continued is ended.
  Changes suspend(const std::string& why, Moment now);
  /// Continues a session that another process has suspended. Call it before any other input; the
  /// client's return follows.
  Changes take_up(transcript::Transcript transcript, protocol::SessionSettings settings,
                  Moment now);
  /// Queues the first message to the client, before any other input.
  Changes queue_first(protocol::Message message);

  /// Keeps `items_in_memory` items in memory and moves older ones to `spill`. Reading them may then
  /// throw SpillError, after which the session cannot go on.
  void spill_to(std::unique_ptr<transcript::Spill> spill, std::size_t items_in_memory) {
    transcript_.spill_to(std::move(spill), items_in_memory);
  }

  /// Upstream connections are dialled for a transcription session.
  bool transcribes() const { return dialogue_.transcribes; }

  /// Whether an answer's first audio is awaited: call audio_sent() for audio that was sent.
  bool awaits_first_audio() const { return first_audio_.awaits(); }
  /// The client was sent an audio message. Returns the microseconds that it waited for the answer,
  /// if this was the first audio of it.
  std::optional<std::int64_t> audio_sent(std::int64_t received_us, std::int64_t sent_us) {
    return first_audio_.sent(received_us, sent_us);
  }

  /// Whether recorded audio waits to be sent: call recorded_audio_sent() for audio that was sent.
  bool awaits_recorded_audio() const { return recorder_ && recorder_->awaits_sending(); }
  void recorded_audio_sent(std::int64_t received_us, Moment now);

  // --- Outputs ---
  /// The changes that no input has returned: those of take_dial(), take_for() and
  /// take_for_client(). Call it after these.
  Changes take_changes();
  /// The upstream connection to dial now, if any.
  std::optional<UpstreamId> take_dial(Moment now);
  /// True if take_dial() would return a connection.
  bool wants_dial(Moment now) const;
  const Outbox& to_client() const { return client_.outbox(); }
  /// Takes the head of the client's outbox. Precondition: the head is ready.
  protocol::MessagePtr take_for_client();
  /// Messages for this upstream connection; nullptr: it carries nothing any more and may be closed.
  const Outbox* outbox_of(UpstreamId upstream) const { return upstream_.outbox_of(upstream); }
  /// Takes the head of that outbox. Precondition: the head is ready.
  protocol::MessagePtr take_for(UpstreamId upstream);
  /// Backpressure. False while the other side's queue or the journal's queue is full: stop reading.
  /// The journal's queue is shared: journal_moved() follows when it has room again.
  bool wants_client() const;
  bool wants_upstream() const;
  /// A message, the reading or the final record waits for a journal sequence after `durable`.
  bool waits_for_journal(transcript::Sequence durable) const;
  /// The journal's sequence of the latest recorded event; 0: there is none.
  transcript::Sequence last_recorded() const { return journal_.last(); }
  /// Monotonic milliseconds of the next time_passed() or take_dial() that has work.
  std::int64_t next_deadline_ms() const;

  bool ended() const { return reason_.has_value(); }
  /// The final record is durable, or never will be: connections may close.
  bool settled() const;
  /// The final record is durable.
  bool kept() const;
  transcript::CloseReason reason() const { return *reason_; }
  const std::string& why() const { return why_; }
  bool client_attached() const { return client_.attached(); }
  /// The client is away and may return.
  bool detached() const { return client_.detached(); }
  /// The session was suspended, not ended.
  bool suspended() const { return suspended_; }
  const Outcome& outcome() const { return outcome_; }
  const SessionIdentity& identity() const { return identity_; }

  struct Counts {
    std::uint64_t refused_client_messages = 0;
    std::uint64_t resumed = 0;  ///< clients that returned
    /// of those, clients whose missed messages were not retained
    std::uint64_t resumed_with_snapshot = 0;
    std::uint64_t lost = 0;         ///< upstream connections that were lost and are to be replaced
    std::uint64_t reconnected = 0;  ///< upstream connections that replaced a lost one
    std::uint64_t rotated = 0;      ///< upstream connections that replaced one still open
    /// Provider messages whose text fits no turn, indexed by Unplaced.
    std::array<std::uint64_t, transcript::unplaced_kinds> unplaced_texts{};
    std::uint64_t responses = 0;  ///< responses of the model that have ended
    /// relay requests that the provider refused; not shown to the client
    std::uint64_t own_requests_refused = 0;
    std::uint64_t rebuilds = 0;     ///< upstream connections that were given a conversation
    std::uint64_t items_given = 0;  ///< items given to them and accepted
    std::uint64_t items_left_out = 0;
    std::uint64_t items_refused = 0;
    std::uint64_t limit_notices = 0;  ///< limits that were near or reached
    friend bool operator==(const Counts&, const Counts&) = default;
  };
  const Counts& counts() const { return counts_; }
  /// The provider's error code for the last refused relay request.
  const std::string& refused_code() const { return dialogue_.refused_code; }
  /// The latest limit that was near or reached.
  const std::optional<Budget::Notice>& last_limit() const { return last_limit_; }
  /// The result of the latest rebuild.
  const Rebuild& last_rebuild() const { return last_rebuild_; }
  const Budget& budget() const { return budget_; }
  /// Count of the model's ended responses by outcome.
  const transcript::ResponseCounts& responses() const { return transcript_.responses(); }

 private:
  static constexpr std::int64_t never = std::numeric_limits<std::int64_t>::max();

  // realtime_session.cpp: the client
  /// settled() as of this watermark, which moves on another thread.
  bool settled_at(transcript::Sequence durable) const;
  void handle_client(protocol::Message& message, Moment now);
  void note(Changes more) { changes_ |= more; }
  void send_error(std::string type, std::string code, std::string message, std::string param = {},
                  std::string client_event_id = {});
  protocol::Message error_message(const protocol::ErrorEvent& error);
  void become_transcription();
  void resync(const ClientReturn& how, Moment now);
  void leave_for_good(transcript::CloseReason reason, const std::string& why, Moment now);
  void finish_if_transcribed(Moment now);
  /// Journals an event and applies it to the transcript. Returns the sequence that output must wait
  /// for; nullopt: the journal refused it.
  std::optional<transcript::Sequence> record(transcript::Event event, Moment now);
  bool may_journal(std::size_t bytes, Moment now);
  void begin_recording(Moment now);
  /// Journals where recorded audio stands. False: the journal refused it, and the session has
  /// ended.
  bool keep_runs(AudioPlacement::Runs runs, Moment now);
  void record_client_audio(std::string_view message, Moment now);
  void record_answer_audio(const transcript::AudioDelta& audio, const protocol::Message& message,
                           Moment now);
  /// The recording ends with this process's part of the attempt.
  void end_recording(Moment now);
  const protocol::ProviderDialect& provider() const { return *options_.provider; }
  /// The facts in a message's session object.
  protocol::SessionFacts facts_in(std::string_view message) const {
    return provider().read_session(provider().session_in(message));
  }
  /// The provider has shown the session: takes it from its message.
  void session_shown(std::string_view message);
  /// A copy of the message with its secrets removed, from which events are read. nullopt: the
  /// message contains none; read the original.
  std::optional<std::string> without_secrets(std::string_view message) const;
  void send_turn_events();
  ItemRequests item_requests() const;
  SettingsDialogue dialogue();
  /// True if the relay has answered: the provider would refuse a request that the conversation
  /// allows.
  bool answered_here(protocol::ClientRequest request, const protocol::Message& message, Moment now);
  /// The message as the present upstream connection gets it.
  protocol::MessagePtr placed_where_known(protocol::MessagePtr message);
  /// Records usage that a message reports apart from its text. Returns the sequence to wait for: 0
  /// if there was none, nullopt if the journal refuses it.
  std::optional<transcript::Sequence> record_usage(std::optional<transcript::Event> transcription,
                                                   bool response_over, Moment now);
  /// Records the audio length of the latest answers, which no other event holds. Returns 0 if it is
  /// already recorded, nullopt if the journal refuses it.
  std::optional<transcript::Sequence> record_audio(Moment now);
  /// The same for how long the client waited for answers.
  std::optional<transcript::Sequence> record_first_audio(Moment now);
  /// Records the settings in force if the journal has others: another process may have to continue.
  std::optional<transcript::Sequence> record_settings(Moment now);
  void spend(Moment now);
  /// A limit is near: warns the client. A limit is reached: ends the session.
  void handle_limit(const Budget::Notice& notice, Moment now);
  std::string own_event_id();

  // realtime_session_ending.cpp: time, and the end
  void handle_time(Moment now);
  void finish(transcript::CloseReason reason, const std::string& why, Moment now);
  void end_unread(const std::string& error);
  void close_what_is_open(transcript::CloseReason reason, const std::string& why);

  // realtime_session_upstream.cpp: the provider
  void current_said(protocol::Message message, Moment now);
  bool is_for_relay(const transcript::Event& event, const protocol::Message& message, Moment now);
  void pass_audio(protocol::Message message, const std::optional<transcript::Event>& event,
                  Moment now);
  void match_request(transcript::Event& event, protocol::Message& message);
  void show_behind(const std::string& previous, transcript::Event& event,
                   protocol::Message& message);
  bool is_over(const transcript::Event& event) const;
  void record_and_answer(protocol::ServerReading said, protocol::Message message, bool shown,
                         Moment now);
  void next_said(const protocol::Message& message, Moment now);
  protocol::ServerReading read(std::string_view message) const;
  void audio_said(const transcript::AudioDelta& audio, std::int64_t received_us);
  void notice(const transcript::Event& event, std::string_view message, std::int64_t received_us);
  void lose_upstream(transcript::CloseReason reason, const std::string& why, Moment now);
  /// `reason`: why the session ends if this was the last attempt; default: the reason of the
  /// outage.
  void upstream_failed(const std::string& why, Moment now,
                       std::optional<transcript::CloseReason> reason = std::nullopt);
  void history_refused(Moment now);
  void count_rebuild(const Rebuild& rebuild);
  void try_carry_over(Moment now);
  void carry_over(Moment now);
  /// Sends a message that has waited for the present upstream connection.
  void pass_on(protocol::MessagePtr message, transcript::Sequence needs, Moment now);
  bool is_silent() const;
  bool transcription_expected() const;

  SessionIdentity identity_;
  SessionOptions options_;
  SessionJournal journal_;
  transcript::Transcript transcript_;
  protocol::SessionSettings settings_;
  protocol::SessionFacts facts_;  ///< of the session in force
  ClientLink client_;
  UpstreamLink upstream_;
  policy::Policy policy_;
  Budget budget_;
  Pace pace_;
  Meter meter_;
  FirstAudioTimer first_audio_;
  std::unique_ptr<SessionRecorder> recorder_;  ///< null: the audio is not recorded

  Unanswered unanswered_;
  std::unique_ptr<protocol::OpenAnswers> answers_;
  SettingsDialogue::State dialogue_;
  /// the client already has session.created, from an earlier connection
  bool hides_created_ = false;
  bool speech_open_ = false;        ///< begun, not committed
  bool audio_uncommitted_ = false;  ///< the client has sent some since the last commit

  /// the client is gone; transcriptions are still awaited
  std::optional<transcript::CloseReason> pending_reason_;
  std::string pending_why_;
  std::optional<transcript::CloseReason> reason_;
  std::string why_;
  bool suspended_ = false;
  Outcome outcome_;

  std::int64_t grace_deadline_ms_ = 0;
  std::uint64_t own_events_ = 0;
  Counts counts_;
  Rebuild last_rebuild_;
  std::optional<Budget::Notice> last_limit_;
  Changes changes_;
};

}  // namespace verbatim::session
