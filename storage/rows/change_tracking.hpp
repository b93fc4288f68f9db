// Tracks which rows have changed, for a database elsewhere (storage/store/shipping_store.hpp).
//
// Triggers write a row of `dirty` in the statement that makes a change: its kind, its key, and the
// number of the last change. No function that changes a row can forget it, and neither can
// recovery, the merge of a segment or a command beside the server. A store that tracks nothing has
// no triggers, so its statements cost nothing more.
//
// Changes through the journal get the number of their job. Others have none: their `seq` is minus
// the last number, or 0, until the journal gives them one.
//
// On the database's thread, in the caller's transaction. All throw StorageError.
#pragma once

#include <cstdint>
#include <optional>
#include <string>

#include "session/transcript/journal.hpp"
#include "storage/store/shipping_store.hpp"

namespace verbatim::sqlite {
class Database;
}  // namespace verbatim::sqlite

namespace verbatim::rows {

/// The numbers are stored: do not change them.
enum class ChangeKind : std::uint8_t {
  erased = 0,   ///< key: the public id of a session that was erased
  session = 1,  ///< key: its row
  attempt = 2,  ///< key: its row; without its turns
  record = 3,   ///< key: the attempt's row; its turns and tool calls, once it has ended
  turn = 4,     ///< key: its row; of an attempt that has not ended
  copy = 5,     ///< key: its row
  message = 6,  ///< key: its public id; with its deliveries. The row may be gone
  token = 7,    ///< key: its id. The row may be gone
};

/// Begins to track changes, unless that is so already, and begins a run: this start of the process.
/// Gives a number to changes that have none. If the store had not tracked changes, everything
/// stored before counts as changed, step by step: see mark_stored().
void track_changes(sqlite::Database& database);
/// Stops tracking changes, and deletes those that were tracked.
void forget_changes(sqlite::Database& database);
bool tracks_changes(sqlite::Database& database);

/// True if there are changes without a number, or stored rows that are still to be marked.
bool needs_numbers(sqlite::Database& database);
/// Gives the next number, which the caller has set (Database::number_changes()), to changes that
/// have none. Then marks some stored rows as changed, if not all have been.
void number_and_mark(sqlite::Database& database);

store::StreamIdentity stream_identity(sqlite::Database& database);
store::StreamIdentity renew_identity(sqlite::Database& database);
/// store::Shipping::continues().
bool is_continued(sqlite::Database& database, const std::string& run, transcript::Sequence upto);

/// Positions in the stream.
struct ShippingState {
  transcript::Sequence shipped = 0;  ///< the database elsewhere has everything up to this
  transcript::Sequence pruned = 0;   ///< events and changes up to this may have been deleted
  std::int64_t erasures = 0;         ///< how many sessions were erased
  /// Sessions and attempts with a greater row id are still to be marked as changed. INT64_MAX: all
  /// are marked.
  std::int64_t sessions_marked = INT64_MAX;
  std::int64_t attempts_marked = INT64_MAX;
};
/// nullopt: the store tracks nothing.
std::optional<ShippingState> shipping_state(sqlite::Database& database);
void note_shipped(sqlite::Database& database, transcript::Sequence upto);
/// store::Shipping::resume_from().
bool resume_shipping(sqlite::Database& database, transcript::Sequence upto);

/// Deletes about `limit` changes up to this number, and notes it as pruned. The latest erasures
/// stay. Returns how many were deleted.
std::int64_t forget_shipped(sqlite::Database& database, transcript::Sequence upto,
                            std::int64_t limit);
/// Notes that events up to this number may have been deleted.
void note_pruned(sqlite::Database& database, transcript::Sequence upto);

}  // namespace verbatim::rows
