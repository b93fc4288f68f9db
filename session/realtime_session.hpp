// One conversation: what happens to it when its client speaks, leaves and comes back, its provider
// speaks, a link goes, time passes, or the journal moves. A state machine without I/O: inputs are
// calls, outputs are the outboxes, the dials it wants and what is submitted to the journal.
// server/relay/session_driver carries them out.
//
// It outlives its connections (P8). A client that is lost may come back within the resume window;
// a connection to the provider (a leg) that is lost, or about to reach the provider's limit, is
// followed by another that is given the conversation so far.
//
// Lives on one thread. Owned by its driver. Ends once: the first end() wins, and the final record
// is submitted there and nowhere else.
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
#include "session/outbox.hpp"
#include "session/pace.hpp"
#include "session/pending_requests.hpp"
#include "session/policy/policy.hpp"
#include "session/protocol/dialect.hpp"
#include "session/protocol/open_answers.hpp"
#include "session/protocol/secret_filter.hpp"
#include "session/protocol/session_settings.hpp"
#include "session/relay_events.hpp"
#include "session/settings_requests.hpp"
#include "session/transcript/close_reason.hpp"
#include "session/transcript/journal.hpp"
#include "session/transcript/spill.hpp"
#include "session/transcript/transcript.hpp"
#include "session/upstream_connection.hpp"
#include "session/usage_meter.hpp"

namespace verbatim::session {

struct SessionOptions {
  std::int64_t idle_timeout_ms = 600'000;
  std::int64_t max_duration_ms = 3'600'000;
  std::int64_t ending_notice_ms = 60'000;        ///< how long before that the client is told
  std::int64_t created_timeout_ms = 10'000;      ///< upgrade to session.created
  std::int64_t slow_client_timeout_ms = 30'000;  ///< a full client queue that does not move
  std::int64_t transcription_grace_ms = 2'000;   ///< client gone: wait for speech being transcribed
  std::size_t client_queue_bytes_max = 4 * 1024 * 1024;
  std::size_t upstream_queue_bytes_max = 4 * 1024 * 1024;
  std::size_t journal_share_bytes = 4 * 1024 * 1024;  ///< of the journal's queue, then it waits
  std::size_t journal_bytes_per_second = 0;  ///< beyond it the client is not read; 0: any speed
  std::shared_ptr<PaceAccount> users_pace;   ///< of all sessions of the user, in place of that
  bool input_transcription = true;
  std::string transcription_model = "gpt-4o-mini-transcribe";
  std::size_t item_bytes_max = 24 * 1024 * 1024;  ///< of an item's JSON, to be given again
  std::string session_config_json;                ///< bound to the client's token; may be empty
  std::string model;           ///< what the client or its token named; may be empty
  bool transcription = false;  ///< speech is only transcribed: the provider's other kind of session
  std::vector<std::string> extra_client_events;
  PolicyRules policy;
  std::shared_ptr<const SecretFilter> secrets;  ///< null: there are none
  BudgetLimits budget;                          ///< but for the clocks, which stand above
  std::shared_ptr<SharedUsage> users_usage;     ///< null: the user has no limits

  std::int64_t resume_window_ms = 0;  ///< a lost client may come back for so long; 0: it ends
  std::size_t resume_buffer_bytes_max = 512 * 1024;  ///< of messages, kept for one that does
  std::size_t open_answers_bytes_max = 1024 * 1024;  ///< remembered, to end an answer cut off
  BackoffOptions reconnect;                          ///< to the provider; no attempts: it ends
  std::int64_t rotate_after_ms = 0;  ///< of a connection to the provider; 0: as long as it lasts
};

struct SessionIdentity {
  std::string session_id;
  AttemptId attempt = 0;
  int attempt_number = 1;
  bool extension_events = false;     ///< the client asked for verbatim.* events
  const Dialect* dialect = nullptr;  ///< what the client speaks; null: what the provider does
  TimeMs started_at = 0;             ///< of the attempt: nothing in it happens before that
};

/// How a link ended, as far as the socket knows.
struct LinkEnd {
  bool clean = false;  ///< a close frame came
  std::uint16_t close_code = 0;
  std::string reason;  ///< the peer's words, or the network's
  /// We have closed it, since what came on it broke a rule.
  bool refused = false;
};

/// A client that connects to a conversation that goes on.
struct ClientReturn {
  std::optional<std::uint64_t> after;  ///< it has received so many messages of this attempt
  bool extension_events = false;
  const Dialect* dialect = nullptr;  ///< null: the provider's own
};

class RealtimeSession {
 public:
  RealtimeSession(SessionIdentity identity, SessionOptions options, Journal& journal, Moment now);

  // --- the client ---------------------------------------------------------------------------
  void client_said(Message message, Moment now);
  /// What came is no message of the protocol: the client is told so, and nothing else happens.
  void refuse_frame(const std::string& why);
  /// The client's connection is to be closed, and only the connection. Tells it why, before all
  /// that waits for it; the result is the number of that message, the last to be sent there.
  std::uint64_t refuse_connection(const std::string& code, const std::string& why);
  void client_gone(const LinkEnd& end, Moment now);
  /// The same client on a new connection, which replaces the one before, if that is still there.
  void client_returned(const ClientReturn& how, Moment now);

  // --- the provider -------------------------------------------------------------------------
  /// The leg to dial now, if there is one. To be asked after each input.
  std::optional<UpstreamId> take_dial(Moment now);
  void upstream_opened(UpstreamId upstream, Moment now);
  void upstream_said(UpstreamId upstream, Message message, Moment now);
  /// It sent a message that was too large to be read, and was skipped.
  void upstream_skipped(UpstreamId upstream, Moment now);
  void upstream_gone(UpstreamId upstream, const LinkEnd& end, Moment now);
  /// The provider could not be reached (`lost`) or refused us (`error`).
  void upstream_unavailable(UpstreamId upstream, CloseReason reason, const std::string& why,
                            Moment now);

  // --- the rest of the world ----------------------------------------------------------------
  void time_passed(Moment now);
  /// What is not durable by now is not to be waited for.
  void journal_failed(Moment now);
  /// Ends the conversation; only the first call counts. `why` is for the client, free of secrets.
  void end(CloseReason reason, const std::string& why, Moment now);

  /// This process ends, the conversation need not: whatever another process needs to carry it on is
  /// submitted, the client is told to come back. One that can not be carried on is ended.
  void suspend(const std::string& why, Moment now);
  /// The other half: takes up what another process has suspended. Before any other input; the
  /// client's own return follows.
  void take_up(Transcript transcript, SessionSettings settings, Moment now);

  /// Of the conversation's items, so many stay in memory; the older ones go to `spill`. What reads
  /// them may throw SpillError then: the conversation can not go on.
  void spill_to(std::unique_ptr<Spill> spill, std::size_t items_in_memory) {
    transcript_.spill_to(std::move(spill), items_in_memory);
  }

  /// Legs are to be dialled for a transcription session.
  bool transcribes() const { return transcribes_; }

  // --- what to do ---------------------------------------------------------------------------
  Outbox& to_client() { return to_client_; }
  /// What the leg's writer may write; nullptr: the leg carries nothing any more and may be closed.
  Outbox* outbox_of(UpstreamId upstream);
  /// Takes the head of that outbox. Precondition: it is ready.
  MessagePtr take_for(UpstreamId upstream);
  /// False while the other side's queue, or the journal's, is full: stop reading.
  bool wants_client() const;
  bool wants_upstream() const;
  /// Some message waits for the journal to get beyond this.
  bool waits_for_journal(Sequence durable) const;
  /// Its queue is full of what may leave: the client does not read. A queue that waits for the disk
  /// is not its fault.
  bool client_is_behind() const;
  /// Monotonic milliseconds of the next time_passed() or take_dial() that matters.
  std::int64_t next_deadline_ms() const;

  bool ended() const { return reason_.has_value(); }
  /// The final record is durable, or never will be: links may close.
  bool settled() const;
  /// The final record is durable.
  bool kept() const;
  CloseReason reason() const { return *reason_; }
  const std::string& why() const { return why_; }
  bool client_attached() const { return client_attached_; }
  /// The client is away and may come back.
  bool detached() const { return detached_.has_value(); }
  /// Nobody has ended it; it was suspended.
  bool suspended() const { return suspended_; }
  /// What it was, once it has ended: the words are the journal's.
  struct Outcome {
    std::size_t turns = 0;
    TurnCounts turn_counts{};
    bool complete = false;
    Usage used;
  };
  const Outcome& outcome() const { return outcome_; }
  const SessionIdentity& identity() const { return identity_; }

  struct Counts {
    std::uint64_t refused_client_messages = 0;
    std::uint64_t resumed = 0;  ///< clients that came back
    std::uint64_t resumed_with_snapshot =
        0;                          ///< of those, how many could not be given what they missed
    std::uint64_t lost = 0;         ///< connections to the provider that another is to follow
    std::uint64_t reconnected = 0;  ///< upstream connections that followed a lost one
    std::uint64_t rotated = 0;      ///< upstream connections that followed one that was still there
    /// Messages of the provider that no turn can hold, by Unplaced.
    std::array<std::uint64_t, unplaced_kinds> unplaced_texts{};
    std::uint64_t responses = 0;             ///< of the model that have ended
    std::uint64_t own_requests_refused = 0;  ///< by the provider; its client does not hear of it
    std::uint64_t rebuilds = 0;     ///< upstream connections that were given a conversation
    std::uint64_t items_given = 0;  ///< to them, and taken
    std::uint64_t items_left_out = 0;
    std::uint64_t items_refused = 0;
    friend bool operator==(const Counts&, const Counts&) = default;
  };
  const Counts& counts() const { return counts_; }
  /// The provider's code for the last refusal of what the relay asked for itself.
  const std::string& refused_code() const { return refused_code_; }
  /// What the last of `rebuilds` was given.
  const Rebuild& last_rebuild() const { return last_rebuild_; }
  const Budget& budget() const { return budget_; }
  /// How the model's responses ended so far.
  const ResponseCounts& responses() const { return transcript_.responses(); }

 private:
  struct Detached {
    CloseReason reason;
    std::string why;
    std::int64_t until_ms;
    std::int64_t commit_at_ms;  ///< then what the client was saying is taken for all of it
  };
  struct HeldCreated {
    Message message;
    Sequence needs;
    std::int64_t until_ms;
  };
  struct Outage {
    CloseReason reason;  ///< of its beginning, and the session's if it does not end
    std::string why;
    std::int64_t retry_at_ms;
  };

  static constexpr std::int64_t never = std::numeric_limits<std::int64_t>::max();

  // realtime_session.cpp: the client
  bool client_queue_full() const;
  void answer_client(Message message, Sequence needs = 0);
  void send_error(std::string type, std::string code, std::string message, std::string param = {},
                  std::string client_event_id = {});
  Message error_message(const ErrorEvent& error);
  void become_transcription();
  SessionType type() const {
    return transcribes_ ? SessionType::transcription : SessionType::realtime;
  }
  void detach(CloseReason reason, const std::string& why, Moment now);
  void resync(const ClientReturn& how, Moment now);
  void leave_for_good(CloseReason reason, const std::string& why, Moment now);
  void finish_if_transcribed(Moment now);
  /// Journals an event and folds it; returns what output must wait for, nullopt if refused.
  std::optional<Sequence> record(Event event, Moment now);
  bool may_journal(std::size_t bytes, Moment now);
  /// What is kept of a message is read from this. nullopt: from the message itself.
  std::optional<std::string> without_secrets(std::string_view message) const;
  bool over_share(Sequence durable) const { return waits_for_share_ > durable; }
  void bound_details(Event& event) const;
  void send_turn_events();
  /// What a message cost beside its text; 0 if nothing, nullopt if the journal refuses.
  std::optional<Sequence> record_usage(std::optional<Event> transcription, bool response_over,
                                       Moment now);
  /// How much audio the last answers had, which the journal does not know otherwise; 0 if that is
  /// recorded, nullopt if the journal refuses.
  std::optional<Sequence> record_audio(Moment now);
  void spend(Moment now);
  /// A limit is near: the client is told. Or reached: it ends.
  void handle_limit(const Budget::Notice& notice, Moment now);
  std::string own_event_id();

  // realtime_session_settings.cpp: the session's settings, and what a client sees of them
  std::string_view transcription_model() const;
  void request_settings(std::string update, SettingsRequests::Purpose purpose);
  void request_configuration();
  void request_transcription();
  void request_less(SettingsRequests::Purpose refused);
  bool answers_relay(const Event& event, const Message& message, Moment now);
  bool refuses_relay(const ProviderError& error, const Message& message, Moment now);
  void configuration_seen(bool transcription_on);
  bool is_hidden(std::string_view type) const;
  void veil(Message& message) const;
  void hold_created(Message message, Sequence needs, Moment now);
  void release_created(std::string_view in_force = {});

  // realtime_session_items.cpp: items that a connection lacks, or has already
  bool provider_has(const std::string& item_id) const;
  bool provider_lacks(const std::string& item_id) const;
  std::string nearest_before(const std::string& item_id) const;
  bool answered_here(std::string_view type, const Message& message, Moment now);
  bool truncated_here(const Message& message, Moment now);
  bool there_already(const Message& message);
  bool retrieved_here(const Message& message);
  bool deleted_here(const Message& message, Moment now);
  /// What has waited for the present connection.
  void pass_on(MessagePtr message, Sequence needs, Moment now);
  MessagePtr placed_where_known(MessagePtr message);
  void show_behind(const std::string& previous, Event& event, Message& message);

  // realtime_session_ending.cpp: time, and the end
  void end_unread(const std::string& error);
  void close_what_is_open(CloseReason reason, const std::string& why);

  // realtime_session_upstream.cpp: the provider
  void current_said(Message message, Moment now);
  void next_said(const Message& message, Moment now);
  std::optional<Event> read(std::string_view message) const;
  void notice(const Event& event, std::string_view message);
  void lose_upstream(CloseReason reason, const std::string& why, Moment now);
  /// `reason`: of the session's end, if this was the last try; else that of the outage.
  void upstream_failed(const std::string& why, Moment now,
                       std::optional<CloseReason> reason = std::nullopt);
  void history_refused(Moment now);
  void count_rebuild(const Rebuild& rebuild);
  std::int64_t prepare_deadline_ms() const;
  void try_carry_over(Moment now);
  void carry_over(Moment now);
  void plan_rotation(std::int64_t expires_at_s, Moment now);
  bool is_silent() const;
  bool transcription_expected() const;

  SessionIdentity identity_;
  SessionOptions options_;
  Journal& journal_;
  Transcript transcript_;
  SessionSettings settings_;
  Outbox to_client_;
  Outbox to_upstream_;
  Sequence last_sequence_ = 0;      ///< of what was recorded last
  std::size_t recorded_bytes_ = 0;  ///< since it had to wait for the journal last
  Sequence waits_for_share_ = 0;    ///< nothing is read before this is durable
  Policy policy_;
  Budget budget_;
  Pace pace_;
  Meter meter_;

  // The client.
  bool client_attached_ = true;
  std::optional<Detached> detached_;
  std::int64_t held_until_ms_ = 0;  ///< what a client is told afresh; 0: nothing is held

  // The provider.
  std::optional<UpstreamConnection> current_;  ///< carries the conversation
  std::optional<UpstreamConnection> next_;     ///< is being dialled or prepared
  bool dial_wanted_ = true;
  UpstreamId upstreams_ = 0;
  std::optional<Outage> outage_;
  Backoff backoff_;
  std::int64_t carried_since_ms_ = 0;
  std::int64_t prepare_deadline_ms_ = 0;
  std::int64_t rotate_at_ms_ = 0;  ///< 0: not planned
  bool rotation_waits_ = false;    ///< it is due, and somebody speaks: no clock can tell when
  Unanswered unanswered_;
  OpenAnswers answers_;
  bool transcribes_ = false;
  bool hides_created_ = false;   ///< the client has been shown one, of the connection before
  bool created_ = false;         ///< the provider has said something
  bool expired_ = false;         ///< the provider said that its session limit is reached
  bool provider_error_ = false;  ///< the last thing the provider said was an error
  std::string last_error_;
  bool speech_open_ = false;        ///< begun, not committed
  bool audio_uncommitted_ = false;  ///< the client sent some since the last commit
  SettingsRequests settings_requests_;
  bool transcription_on_ = false;
  bool transcription_refused_ = false;  ///< asked for and still off: ask no more
  bool holds_created_ = false;          ///< session.created is to wait for the token's settings
  std::optional<HeldCreated> held_created_;
  std::string refused_code_;

  /// Turns that became settled and are yet to be told to a client that asked for it.
  std::vector<std::pair<std::string, Sequence>> settled_turns_;

  std::optional<CloseReason> pending_reason_;  ///< the client is gone; transcriptions still come
  std::string pending_why_;
  std::optional<CloseReason> reason_;
  std::string why_;
  bool suspended_ = false;
  Sequence final_sequence_ = 0;
  Outcome outcome_;

  std::int64_t created_deadline_ms_ = 0;
  std::int64_t grace_deadline_ms_ = 0;
  std::int64_t client_stuck_since_ms_ = 0;
  std::uint64_t client_taken_then_ = 0;
  std::uint64_t own_events_ = 0;
  Counts counts_;
  Rebuild last_rebuild_;
};

}  // namespace verbatim::session
