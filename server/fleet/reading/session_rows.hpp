// Reads all rows of one session from the fleet's database, in one snapshot or under the session's
// lock.
//
// On the thread of the connection.
#pragma once

#include <cstddef>
#include <optional>
#include <string>
#include <utility>

#include "server/fleet/database/connection.hpp"
#include "storage/store/session_image.hpp"

namespace verbatim::reading {

/// Rows that are read besides those of the session and its attempts.
struct RowsWanted {
  bool content = true;  ///< turns, tool calls, events and copies
  bool one_attempt = false;
  std::optional<int> attempt = std::nullopt;  ///< with `one_attempt`: its number; none: the latest
  std::optional<std::string> token = std::nullopt;  ///< the client token with this id
};

struct FoundRows {
  std::optional<store::SessionRows> rows;  ///< nullopt: there is no such session
  std::size_t too_large = 0;  ///< its bytes, if they are more than allowed; then nothing is read
};

/// SQL, of a row of `attempt`: its node may have words that it has not shipped, if it does not
/// answer. An attempt that has ended was shipped whole. A forgotten node is never waited for.
inline constexpr const char* tail_is_open =
    "ended_at IS NULL AND status <> 0 AND NOT EXISTS "
    "(SELECT 1 FROM node WHERE node.incarnation = attempt.owner AND node.forgotten)";

/// Calls `read` in one snapshot of the database and returns its result. `read` changes nothing.
/// After an error the connection must not be used again.
template <class T, class Read>
database::DatabaseResult<T> read_in_snapshot(database::Connection& connection, Read read) {
  auto begun = connection.run_script("BEGIN ISOLATION LEVEL REPEATABLE READ READ ONLY");
  if (!begun) return tl::unexpected(std::move(begun.error()));
  database::DatabaseResult<T> found = read();
  if (!found) return found;
  if (auto ended = connection.run_script("COMMIT"); !ended)
    return tl::unexpected(std::move(ended.error()));
  return found;
}

/// In a transaction of its own, which changes nothing.
database::DatabaseResult<FoundRows> read_session_rows(database::Connection& connection,
                                                      const std::string& session_id,
                                                      const RowsWanted& wanted,
                                                      std::size_t bytes_max);

/// In the transaction of the caller. No other post to the session is made before its end.
database::DatabaseResult<FoundRows> lock_session_rows(database::Connection& connection,
                                                      const std::string& session_id,
                                                      const RowsWanted& wanted,
                                                      std::size_t bytes_max);

}  // namespace verbatim::reading
