// Which processes hold a database's log open for reading: while one does, the log cannot be written
// from its beginning again.
//
// Any thread. Reads /proc/locks: to open the index itself and close it again would give up every
// lock that this process has on it.
#pragma once

#include <sys/types.h>

#include <filesystem>
#include <string>
#include <vector>

namespace verbatim::storage {

struct LogReader {
  pid_t process = 0;
  std::string command;  ///< its program and first arguments, as far as they can be known
};

/// This process may be among them. Empty also if the system does not say.
std::vector<LogReader> readers_of_log(const std::filesystem::path& database);

/// "process 12 (sqlite3 verbatim.db)"
std::string in_words(const LogReader& reader);

}  // namespace verbatim::storage
