// Deletes journal rows that nothing needs, in short steps between the writer's commits.
//
// A row is needed while its attempt has not ended, and until a database elsewhere has had it for
// JournalOptions::keep_shipped_ms, if changes are tracked.
// - Rows before the oldest open attempt go first, whole pages at a time.
// - Others lie between rows of open attempts, and the table has no index by attempt. A sweep reads
//   all rows in their order, and deletes those of attempts that have ended. It begins when about
//   half as many rows have become needless as the last sweep left, or when the journal has grown
//   by as many. So a row is read a few times in its life, and the rows without use stay fewer than
//   those that open attempts need.
//
// On the writer's thread. Throws StorageError.
#pragma once

#include <algorithm>
#include <chrono>
#include <deque>
#include <functional>

#include "storage/journal/sqlite_journal.hpp"
#include "storage/sqlite/database.hpp"

namespace verbatim::journal {

class Pruner {
 public:
  using Clock = std::chrono::steady_clock;

  /// `committed`: called after each transaction.
  Pruner(sqlite::Database& database, const JournalOptions& options,
         std::function<void()> committed);

  /// Everything up to `durable` is in the database.
  void grown_to(transcript::Sequence durable) { durable_ = durable; }
  /// An attempt has ended that had about this number of rows.
  void note_ended(transcript::Sequence rows);

  /// The watermark of a database elsewhere. It may go back.
  void note_shipped(transcript::Sequence upto, Clock::time_point now);

  /// When the next step may have work; time_point::max(): not before another call.
  Clock::time_point due() const;
  /// False if there was nothing to do.
  bool step(Clock::time_point now);
  /// After an error that passes: nothing is due until another call.
  void rest();

 private:
  struct Shipped {
    transcript::Sequence upto = 0;
    Clock::time_point since;  ///< of the first watermark that this entry stands for
    Clock::time_point at;     ///< of the last
  };

  void release(Clock::time_point now);
  void find_oldest();
  transcript::Sequence end() const { return tracked_ ? std::min(released_, durable_) : durable_; }
  bool sweep_is_due() const;
  bool delete_front();
  bool sweep_some();
  bool forget_some();

  sqlite::Database& database_;
  const std::function<void()> committed_;
  const bool tracked_;
  const std::chrono::milliseconds keep_shipped_;

  transcript::Sequence durable_ = 0;
  bool some_ended_ = true;           ///< since find_oldest()
  transcript::Sequence oldest_ = 0;  ///< no attempt that is not final has a row before it
  transcript::Sequence front_ = 0;   ///< rows before it are deleted
  bool resting_ = false;

  // Of the sweep that is under way, or of the last one.
  transcript::Sequence next_ = 0;      ///< the next row to look at; 0: no sweep is under way
  transcript::Sequence swept_to_ = 0;  ///< the end of the sweep
  transcript::Sequence left_ = 0;      ///< rows that it has left
  transcript::Sequence needless_ = 0;  ///< rows whose attempts have ended since it began

  std::deque<Shipped> shipped_;        ///< watermarks younger than keep_shipped_, oldest first
  transcript::Sequence released_ = 0;  ///< the last one that was older
  bool some_to_forget_ = false;        ///< changes up to it may be stored
};

}  // namespace verbatim::journal
