// Checks whether a database is sound: SQLite checks its pages, and rules check its rows.
//
// On the database's thread. Changes nothing; works beside a running writer. Throws StorageError.
#pragma once

#include <cstddef>
#include <filesystem>
#include <string>
#include <vector>

#include "storage/sqlite/wal_file.hpp"

namespace verbatim::sqlite {
class Database;
}  // namespace verbatim::sqlite

namespace verbatim::maintenance {

struct StoreCounts {
  std::size_t sessions = 0;
  std::size_t attempts = 0;
  std::size_t open_attempts = 0;  ///< live, or interrupted and not recovered yet
  std::size_t turns = 0;
  std::size_t events = 0;      ///< journal rows
  std::size_t unreadable = 0;  ///< journal rows that recovery has set aside
};

/// Rows that break a rule of the format (FORMAT.md).
struct Finding {
  std::string what;
  std::size_t count = 0;
  std::string first;  ///< the first such row
};

struct StoreCheck {
  std::string integrity;  ///< "ok", or what SQLite found; then nothing below was checked
  bool clean = false;     ///< the last program ended in order
  StoreCounts counts;
  std::vector<Finding> findings;
  std::vector<store::LogFinding>
      logs;  ///< problems of the WAL; only checked if no server uses the file
  bool sound() const;
};

StoreCounts count_rows(sqlite::Database& database);
/// "ok", or SQLite's first findings, one a line.
std::string integrity_of(sqlite::Database& database);
StoreCheck check_store(sqlite::Database& database);
/// The same for a file, and for its WAL unless a server uses the file: then the WAL is changing. If
/// no server uses it, the WAL index is left as it is too.
StoreCheck check_file(const std::filesystem::path& file, bool served);
/// Throws StorageError as sqlite::require_own_header(), under the same condition.
void require_own_file(const std::filesystem::path& file);

}  // namespace verbatim::maintenance
