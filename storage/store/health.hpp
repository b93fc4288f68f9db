// How a store reports its health: its state, its figures, and each trouble as it happens.
#pragma once

#include <chrono>
#include <cstddef>
#include <cstdint>
#include <filesystem>
#include <string>

#include "session/transcript/journal.hpp"
#include "storage/store/call.hpp"

namespace verbatim::store {

enum class JournalState : std::uint8_t {
  working,
  stalled,      ///< a commit waits: the disk is full, locked or slow. Rows are held and tried again
  unavailable,  ///< stalled for too long: sessions end. Rows are still held and tried again
  fallback,     ///< works in the fallback directory; no new session is admitted
  failed,       ///< final: the file is not touched again
};
const char* to_string(JournalState);

/// Figures about the queue of writes, for metrics; since the last take_stats().
struct JournalStats {
  static constexpr std::size_t bucket_count = 24;
  /// Upper bounds, seconds, of wait_buckets (submit to durable); the last is +Inf.
  static const double bounds[bucket_count];
  std::uint64_t wait_buckets[bucket_count] = {};
  double wait_sum_seconds = 0;
  std::uint64_t commits = 0;
  std::uint64_t rows = 0;
  std::uint64_t bytes = 0;
};

/// The state of a write-ahead log at a start.
enum class LogState : std::uint8_t {
  missing,     ///< there is no log
  empty,       ///< it has no bytes, or only an invalid header
  whole,       ///< every frame up to the last commit is good, and nothing suspicious lies behind it
  cut_short,   ///< ends within a transaction that was not synced, as after a power cut
  unreadable,  ///< its header is damaged: nothing of it can be read
  damaged,     ///< frames that were synced cannot be read
};
const char* to_string(LogState);

/// A problem of a write-ahead log, for the log and the reports.
struct LogFinding {
  std::filesystem::path log;
  LogState state = LogState::whole;
  bool lost = false;  ///< durable rows are missing, or that cannot be ruled out
  std::string what;   ///< the problem in words
};

/// Called on a thread of the store unless noted. Must return at once (post to your own thread).
class JournalListener {
 public:
  virtual ~JournalListener() = default;
  virtual void on_durable(transcript::Sequence up_to) = 0;
  /// The journal has failed for good: nothing submitted after durable() is safe. Called once,
  /// possibly on the thread that calls check().
  virtual void on_failed(Failure failure, const std::string& message) = 0;
  /// The journal is now stalled, unavailable, or in the fallback directory.
  virtual void on_trouble(JournalState, const StorageError&) {}
  /// The journal works again; it writes what it held.
  virtual void on_recovered() {}
};

class StoreHealth {
 public:
  using Time = std::chrono::steady_clock::time_point;

  virtual ~StoreHealth() = default;

  // Any thread.
  virtual JournalState state() const = 0;
  /// Bytes held or being written.
  virtual std::size_t queue_bytes() const = 0;
  /// Bytes of the write-ahead log; 0 if the store has none.
  virtual std::size_t log_bytes() const = 0;
  /// The readers that keep the write-ahead log from being reset, for an operator. Empty if they are
  /// not known.
  virtual std::string log_readers() const = 0;
  /// Returns and resets the figures.
  virtual JournalStats take_stats() = 0;
  /// Detects a commit that does not end. Call it a few times a second, from one thread.
  virtual void check(Time now) = 0;
  /// How many steps the writing thread has taken. Asks it for one more, so the number grows while
  /// that thread lives, also while it waits for a full disk. Any thread.
  virtual std::uint64_t writer_steps() = 0;
  /// Breaks off the store's own reads that began before `time`; each ends with an error. Returns
  /// their number. Call it again if a read goes on: it may come between two steps.
  virtual std::size_t break_off_reads(Time begun_before) = 0;
  /// Writes a value that is there already, so that success proves that the store accepts writes.
  virtual void prove_writable(Done<> done) = 0;
};

}  // namespace verbatim::store
