// Whether a database is whole: what SQLite says of its pages, and what we say of its rows.
//
// On the database's thread. Changes nothing; works beside a running writer. Throws StorageError.
#pragma once

#include <cstddef>
#include <filesystem>
#include <string>
#include <vector>

#include "storage/sqlite/wal_file.hpp"

namespace verbatim::storage {

class Database;

struct StoreCounts {
  std::size_t sessions = 0;
  std::size_t attempts = 0;
  std::size_t open_attempts = 0;  ///< live, or cut off and not recovered yet
  std::size_t turns = 0;
  std::size_t events = 0;      ///< journal rows
  std::size_t unreadable = 0;  ///< journal rows that a recovery has set aside
};

/// Rows that contradict the format (FORMAT.md).
struct Finding {
  std::string what;
  std::size_t count = 0;
  std::string first;  ///< where to look for the first of them
};

struct StoreCheck {
  std::string integrity;  ///< "ok", or what SQLite found; then nothing below was looked at
  bool clean = false;     ///< the last program ended in order
  StoreCounts counts;
  std::vector<Finding> findings;
  std::vector<LogFinding> logs;  ///< only where no server writes to them
  bool sound() const;
};

StoreCounts count_rows(Database& database);
/// "ok", or the first complaints, one a line.
std::string integrity_of(Database& database);
StoreCheck check_store(Database& database);
/// The same of a file, and of its log unless a server uses it: then it is in motion. Of a file that
/// no server uses, also the index beside it is left as it is.
StoreCheck check_file(const std::filesystem::path& file, bool served);

}  // namespace verbatim::storage
