// The journal as the core sees it: the one door through which a conversation becomes durable.
// Implemented by storage/journal/sqlite_journal; tests use tests/support/memory_journal.
#pragma once

#include <cstddef>
#include <cstdint>

#include "session/transcript/close_reason.hpp"
#include "session/transcript/event.hpp"
#include "session/transcript/session_status.hpp"
#include "session/transcript/transcript.hpp"
#include "session/transcript/turn.hpp"

namespace verbatim::session {

/// Position in the journal. Everything up to durable() is on stable storage. 0 means "nothing".
using Sequence = std::uint64_t;

/// What the journal has taken: its sequence, 0 if it refuses, and how much that is.
struct Taken {
  Sequence sequence = 0;
  std::size_t bytes = 0;
  operator Sequence() const { return sequence; }
};

/// The store's key of one attempt of one session.
using AttemptId = std::int64_t;

/// What another process needs to carry an attempt on, beside its journal.
struct Handover {
  std::string settings_json;  ///< the provider's session object in force
  TimeMs at = 0;
};

/// How an attempt ended.
struct Ending {
  CloseReason reason = CloseReason::client_closed;
  TimeMs ended_at = 0;
  FinalTranscript transcript;
};

class Journal {
 public:
  virtual ~Journal() = default;

  // Any thread; never block, never touch the disk. Each returns the sequence whose durability
  // covers what was given, or 0 if the journal refuses (it has failed, or its bounded queue is
  // full): the caller then forwards nothing and ends the session with storage_failure.
  // Order is kept per caller.

  /// One event, as it happened. Precondition: not an AudioDelta.
  virtual Taken append(AttemptId attempt, TimeMs at, const Event& event) = 0;

  /// Folds a turn into the transcript table, in the transaction of what was appended before it.
  virtual Taken settle(AttemptId attempt, const Turn& turn) = 0;

  /// Finalises the attempt: all turns, gaps, reason, end time, in one transaction. By value: its
  /// text may be a hundred MiB, and is moved to the disk's thread.
  virtual Sequence close(AttemptId attempt, Ending ending) = 0;

  /// An attempt that goes on is live, or detached while its client is away.
  virtual Sequence mark(AttemptId attempt, SessionStatus status) = 0;

  /// The attempt is not over: this process lets go of it, another may take it up.
  virtual Sequence suspend(AttemptId attempt, const Handover& handover) = 0;

  /// Everything up to here survives a power cut (or, with durability "process", a kill -9).
  virtual Sequence durable() const = 0;
  /// What is not durable now is not to be waited for: conversations end. (It may yet become
  /// durable: what was accepted is kept and tried again where the trouble can pass.)
  virtual bool failed() const = 0;
  /// More than half of its queue is used: stop reading, so that what is under way has room.
  virtual bool crowded() const = 0;
};

}  // namespace verbatim::session
