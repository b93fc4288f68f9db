// Lists the processes that have a read transaction open on a database's WAL. While there is one,
// SQLite cannot restart the WAL from its beginning.
//
// Any thread. Reads /proc/locks instead of opening the WAL index: closing the index again would
// give up every lock that this process has on it.
#pragma once

#include <sys/types.h>

#include <filesystem>
#include <string>
#include <vector>

namespace verbatim::sqlite {

struct LogReader {
  pid_t process = 0;
  std::string command;  ///< the program's name, without arguments; empty if unknown
};

/// May contain this process. Empty also if the system does not list locks.
std::vector<LogReader> readers_of_log(const std::filesystem::path& database);

/// "process 12 (sqlite3)"
std::string in_words(const LogReader& reader);

}  // namespace verbatim::sqlite
