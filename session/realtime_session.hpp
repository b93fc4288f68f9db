// One conversation: what happens to it when its client speaks, its provider speaks, a link goes,
// time passes, or the journal moves. A state machine without I/O: inputs are calls, outputs are the
// two outboxes, the flags below them and what is submitted to the journal. server/session_driver
// carries them out.
//
// Lives on one thread. Owned by its driver. Ends once: the first end() wins, and the final record
// is submitted there and nowhere else.
#pragma once

#include <cstdint>
#include <optional>
#include <string>
#include <vector>

#include "session/close_reason.hpp"
#include "session/journal.hpp"
#include "session/outbox.hpp"
#include "session/transcript.hpp"

namespace verbatim::session {

/// Both clocks: one for what people read, one for deadlines (it never jumps).
struct Moment {
  TimeMs wall = 0;
  std::int64_t mono_ms = 0;
};

struct SessionOptions {
  std::int64_t idle_timeout_ms = 600'000;
  std::int64_t max_duration_ms = 3'600'000;
  std::int64_t ending_notice_ms = 60'000;        ///< how long before that the client is told
  std::int64_t created_timeout_ms = 10'000;      ///< upgrade to session.created
  std::int64_t slow_client_timeout_ms = 30'000;  ///< a full client queue that does not move
  std::int64_t transcription_grace_ms = 2'000;   ///< client gone: wait for speech being transcribed
  std::size_t client_queue_bytes_max = 4 * 1024 * 1024;
  std::size_t upstream_queue_bytes_max = 4 * 1024 * 1024;
  bool input_transcription = true;
  std::string transcription_model = "gpt-4o-mini-transcribe";
  std::string session_config_json;  ///< bound to the client's token; may be empty
  std::vector<std::string> extra_client_events;
};

struct SessionIdentity {
  std::string session_id;
  AttemptId attempt = 0;
  int attempt_number = 1;
  bool extension_events = false;  ///< the client asked for verbatim.* events
};

/// How a link ended, as far as the socket knows.
struct LinkEnd {
  bool clean = false;  ///< a close frame came
  std::uint16_t close_code = 0;
  std::string reason;  ///< the peer's words, or the network's
};

class RealtimeSession {
 public:
  RealtimeSession(SessionIdentity identity, SessionOptions options, Journal& journal, Moment now);

  // --- what happened ------------------------------------------------------------------------
  void client_said(Message message, Moment now);
  void client_gone(const LinkEnd& end, Moment now);
  void upstream_opened(Moment now);
  void upstream_said(Message message, Moment now);
  void upstream_gone(const LinkEnd& end, Moment now);
  /// The provider could not be reached (`lost`) or refused us (`error`).
  void upstream_unavailable(CloseReason reason, const std::string& why, Moment now);
  void time_passed(Moment now);
  /// What is not durable by now is not to be waited for.
  void journal_failed(Moment now);
  /// Ends the conversation; only the first call counts. `why` is for the client, free of secrets.
  void end(CloseReason reason, const std::string& why, Moment now);

  // --- what to do ---------------------------------------------------------------------------
  Outbox& to_client() { return to_client_; }
  Outbox& to_upstream() { return to_upstream_; }
  /// False while the other side's queue, or the journal's, is full: stop reading.
  bool wants_client() const;
  bool wants_upstream() const;
  /// Its queue is full of what may leave: the client does not read. A queue that waits for the disk
  /// is not its fault.
  bool client_is_behind() const;
  /// Monotonic milliseconds of the next time_passed() that matters.
  std::int64_t next_deadline_ms() const;

  bool ended() const { return reason_.has_value(); }
  /// The final record is durable, or never will be: links may close.
  bool settled() const;
  CloseReason reason() const { return *reason_; }
  const std::string& why() const { return why_; }
  bool client_attached() const { return client_attached_; }
  /// Once ended.
  const FinalTranscript& final_transcript() const { return final_; }
  const SessionIdentity& identity() const { return identity_; }
  std::uint64_t refused_client_messages() const { return refused_; }

 private:
  bool client_queue_full() const;
  void answer_client(Message message, Sequence needs = 0);
  void send_error(std::string type, std::string code, std::string message, std::string param = {},
                  std::string client_event_id = {});
  /// Journals an event and folds it; returns what output must wait for, nullopt if refused.
  std::optional<Sequence> record(Event event, Moment now);
  void configuration_seen(bool transcription_on);
  void request_transcription();
  void tell_turns();
  void tell_ending(CloseReason reason, std::int64_t in_ms);
  void finish_if_transcribed(Moment now);
  std::string own_event_id();

  SessionIdentity identity_;
  SessionOptions options_;
  Journal& journal_;
  Transcript transcript_;
  Outbox to_client_;
  Outbox to_upstream_;

  bool client_attached_ = true;
  bool upstream_open_ = false;
  bool created_ = false;         ///< the provider has said something
  bool expired_ = false;         ///< the provider said that its session limit is reached
  bool provider_error_ = false;  ///< the last thing the provider said was an error
  std::string last_error_;
  bool speech_open_ = false;     ///< begun, not committed
  int updates_outstanding_ = 0;  ///< session.update sent, not answered
  bool transcription_on_ = false;
  bool transcription_refused_ = false;  ///< asked for and still off: ask no more

  /// Turns that became settled and are yet to be told to a client that asked for it.
  std::vector<std::pair<std::string, Sequence>> settled_turns_;
  bool ending_told_ = false;

  std::optional<CloseReason> pending_reason_;  ///< the client is gone; transcriptions still come
  std::string pending_why_;
  std::optional<CloseReason> reason_;
  std::string why_;
  Sequence final_sequence_ = 0;
  FinalTranscript final_;

  std::int64_t started_ms_;
  std::int64_t active_ms_;
  std::int64_t created_deadline_ms_ = 0;
  std::int64_t grace_deadline_ms_ = 0;
  std::int64_t client_stuck_since_ms_ = 0;
  std::uint64_t client_taken_then_ = 0;
  std::uint64_t own_events_ = 0;
  std::uint64_t refused_ = 0;
};

}  // namespace verbatim::session
