// The journal as the session sees it: the only way by which a conversation becomes durable.
// storage/journal/sqlite_journal implements it; tests use tests/support/memory_journal.
#pragma once

#include <cstddef>
#include <cstdint>

#include "session/transcript/close_reason.hpp"
#include "session/transcript/event.hpp"
#include "session/transcript/session_status.hpp"
#include "session/transcript/transcript.hpp"
#include "session/transcript/turn.hpp"

namespace verbatim::transcript {

/// A position in the journal. Everything up to durable() is on stable storage. 0 means "nothing".
using Sequence = std::uint64_t;

/// Result of a write: the sequence, 0 if the journal refuses; and the number of bytes it added.
struct Taken {
  Sequence sequence = 0;
  std::size_t bytes = 0;
  operator Sequence() const { return sequence; }
};

/// The store's key for one attempt of one session.
using AttemptId = std::int64_t;

/// Data that another process needs to continue an attempt, besides its journal.
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

  // Any thread; these never block and never touch the disk. Each returns the sequence whose
  // durability covers its data. It returns 0 if the journal refuses: it has failed, or its bounded
  // queue is full. The caller then forwards nothing and ends the session with storage_failure.
  // Order is kept for each caller.

  /// Appends one event that happened at `at` (wall clock, milliseconds). Precondition: not an
  /// AudioDelta.
  virtual Taken append(AttemptId attempt, TimeMs at, const Event& event) = 0;

  /// Writes a turn into the transcript table, in the transaction of the events appended before it.
  virtual Taken settle(AttemptId attempt, const Turn& turn) = 0;

  /// Finalises the attempt: all turns, gaps, reason and end time in one transaction. By value,
  /// because the text may be a hundred MiB and is moved to the writer's thread.
  virtual Sequence close(AttemptId attempt, Ending ending) = 0;

  /// Sets the status of an attempt that goes on: live, or detached while its client is away.
  virtual Sequence mark(AttemptId attempt, SessionStatus status) = 0;

  /// The attempt has not ended: this process releases it, and another may continue it.
  virtual Sequence suspend(AttemptId attempt, const Handover& handover) = 0;

  /// Everything up to this position survives a power cut; with durability "process", a kill -9.
  virtual Sequence durable() const = 0;
  /// Sessions must end instead of waiting for data that is not durable now. Accepted data is kept
  /// and retried if the fault can pass, so it may still become durable.
  virtual bool failed() const = 0;
  /// More than half of the queue is used: stop reading (backpressure), so that pending data has
  /// room.
  virtual bool crowded() const = 0;
  /// Writes that were accepted so far must become durable without a deliberate delay: a peer waits
  /// for something behind them that must not be late. Any thread; never blocks.
  virtual void hurry() = 0;
};

}  // namespace verbatim::transcript
