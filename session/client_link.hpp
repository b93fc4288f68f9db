// The client's side of a session: whether a client is attached or may return, the messages for it,
// and the limits of their queue. A lost client may return within the resume window (P8).
//
// Pure; part of a RealtimeSession, on its thread. It collects what it changed: take_changes().
#pragma once

#include <cstddef>
#include <cstdint>
#include <limits>
#include <optional>
#include <string>
#include <utility>

#include "base/clock.hpp"
#include "session/changes.hpp"
#include "session/link_end.hpp"
#include "session/outbox.hpp"
#include "session/protocol/client_dialect.hpp"
#include "session/transcript/close_reason.hpp"

namespace verbatim::session {

struct ClientLimits {
  std::int64_t resume_window_ms = 0;
  std::int64_t transcription_grace_ms = 0;
  std::int64_t slow_timeout_ms = 0;
  std::size_t queue_bytes_max = 0;
  std::size_t resume_buffer_bytes_max = 0;
};

/// A client that connects to a session that is under way.
struct ClientReturn {
  std::optional<std::uint64_t> after;  ///< number of messages of this attempt that it has received
  bool extension_events = false;
  const protocol::ClientDialect* dialect = nullptr;  ///< null: the provider's own
};

class ClientLink {
 public:
  /// `dialect`: null for the provider's own.
  ClientLink(const ClientLimits& limits, const protocol::ClientDialect* dialect,
             bool extension_events);

  bool attached() const { return attached_; }
  /// The client is away and may return.
  bool detached() const { return detached_.has_value(); }
  /// The client asked for verbatim.* events.
  bool extension_events() const { return extension_events_; }
  Changes take_changes() { return std::exchange(changes_, Changes()); }

  // --- Messages ---
  const Outbox& outbox() const { return outbox_; }
  /// Translates the client's message into the provider's dialect. A client that sends has its
  /// listener attached, so messages that were held for it may leave.
  void received(protocol::Message& message);
  /// Messages that were held until the client's listener is attached may leave.
  void release();
  /// Queues a message. `needs`: the journal sequence that must be durable before it may leave.
  void answer(protocol::Message message, transcript::Sequence needs = 0);
  /// Queues a message in the client's dialect already, and for this connection only.
  void push(protocol::Message message);
  void push_first(protocol::Message message);
  /// Queues the last message of a connection, before all pending ones.
  void push_last_words(protocol::Message message);
  /// Precondition: the head is ready.
  protocol::MessagePtr take();
  void drop_unsaved(transcript::Sequence durable);

  // --- Its connection ---
  /// The connection has ended; `session_goes_on` false: for good. Returns whether the client may
  /// return.
  bool gone(const LinkEnd& end, bool session_goes_on);
  /// Waits for the client's return, after gone(). `reason`: the session's end if it does not.
  void detach(transcript::CloseReason reason, const std::string& why, Moment now);
  /// The client is back, on a new connection. True: it gets the messages that it has missed. False:
  /// they are no longer kept, and restart() must follow.
  bool attach(const ClientReturn& how);
  /// Drops everything; the next message is number `after` + 1.
  void restart(std::uint64_t after);
  /// Holds messages behind the next one (`but_one`: the one after that) until the client sends or a
  /// moment has passed. Some SDKs attach their listener a moment after the connection is open.
  void hold_next(bool but_one, Moment now);
  /// Continues a session of another process, which had the client's connection.
  void take_up() { attached_ = false; }
  /// The session ends: no client may return. False: none is attached.
  bool end();

  // --- Time ---
  /// The reason and words of detach(), once the window for a return has passed.
  std::optional<std::pair<transcript::CloseReason, std::string>> window_over(Moment now);
  /// Once while detached: speech that the client has begun must be committed now.
  bool commit_due(Moment now);
  /// While detached, speech has begun: commit_due() has a deadline.
  void speech_began();
  /// Lets held messages go when their time has come.
  void time_passed(Moment now);
  /// The queue was full of messages that may leave, and stood still for too long.
  bool is_too_slow(Moment now, transcript::Sequence durable);
  /// `speech_open`: the deadline of commit_due() counts too.
  std::int64_t next_deadline_ms(transcript::Sequence durable, bool speech_open) const;
  void journal_moved(transcript::Sequence durable);

  // --- Backpressure ---
  bool queue_full() const { return outbox_.bytes() >= limits_.queue_bytes_max; }
  /// The relay can answer a client without the provider. Error events for refused messages come on
  /// top of a full queue, so twice the limit stops the reading.
  bool takes_answers() const { return outbox_.bytes() < 2 * limits_.queue_bytes_max; }
  bool is_behind(transcript::Sequence durable) const {
    return attached_ && queue_full() && outbox_.ready(durable);
  }
  bool waits_for(transcript::Sequence durable) const {
    return attached_ && outbox_.head_needs() > durable;
  }

 private:
  struct Detached {
    transcript::CloseReason reason;
    std::string why;
    std::int64_t until_ms;
    std::int64_t commit_at_ms;  ///< at this time the client's open speech is committed as it is
  };
  static constexpr std::int64_t never = std::numeric_limits<std::int64_t>::max();

  void note(Changes more) { changes_ |= more; }
  void note_pushed(transcript::Sequence needs);

  ClientLimits limits_;
  const protocol::ClientDialect* dialect_;
  bool extension_events_;
  Outbox outbox_;
  bool attached_ = true;
  std::optional<Detached> detached_;
  std::int64_t held_until_ms_ = 0;  ///< of held messages; 0: none are held
  std::int64_t stuck_since_ms_ = 0;
  std::uint64_t taken_then_ = 0;
  Changes changes_;
};

}  // namespace verbatim::session
