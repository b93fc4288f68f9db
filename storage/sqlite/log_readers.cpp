#include "storage/sqlite/log_readers.hpp"

#include <sys/stat.h>
#include <sys/sysmacros.h>

#include <algorithm>
#include <cstdint>
#include <cstdio>
#include <fstream>

#include "storage/sqlite/store_files.hpp"

namespace verbatim::sqlite {
namespace {

namespace fs = std::filesystem;

/// The bytes of the WAL index that SQLite's readers lock: one for each of the five read marks in
/// the WAL.
constexpr std::uint64_t first_reader_byte = 123;
constexpr std::uint64_t last_reader_byte = 127;
constexpr std::size_t command_shown_max = 16;

/// The program's name alone: arguments may hold passwords and paths, and answers show this text.
std::string command_of(pid_t process) {
  std::ifstream in("/proc/" + std::to_string(process) + "/comm", std::ios::binary);
  std::string command(command_shown_max, '\0');
  in.read(command.data(), static_cast<std::streamsize>(command.size()));
  command.resize(static_cast<std::size_t>(in.gcount()));
  for (char& c : command)
    if (static_cast<unsigned char>(c) < ' ' || c == '\x7f') c = ' ';
  while (!command.empty() && command.back() == ' ') command.pop_back();
  return command;
}

}  // namespace

std::vector<LogReader> readers_of_log(const fs::path& database) {
  std::vector<LogReader> readers;
  struct stat index {};
  if (::stat(index_of(database).c_str(), &index) != 0) return readers;
  char wanted[64];
  std::snprintf(wanted, sizeof wanted, "%02x:%02x:%llu", major(index.st_dev), minor(index.st_dev),
                static_cast<unsigned long long>(index.st_ino));
  std::ifstream locks("/proc/locks");
  // "1: POSIX  ADVISORY  READ 4242 08:01:1234 124 124"
  std::string number, kind, advisory, mode, file, end;
  pid_t process = 0;
  std::uint64_t begin = 0;
  while (locks >> number >> kind) {
    if (kind == "->") {  // a lock that is waited for
      std::getline(locks, end);
      continue;
    }
    if (!(locks >> advisory >> mode >> process >> file >> begin >> end)) break;
    const std::uint64_t last = end == "EOF" ? UINT64_MAX : std::stoull(end);
    if (file != wanted || mode != "READ" || begin > last_reader_byte || last < first_reader_byte)
      continue;
    const bool known = std::any_of(readers.begin(), readers.end(),
                                   [&](const LogReader& one) { return one.process == process; });
    if (!known) readers.push_back({process, command_of(process)});
  }
  return readers;
}

std::string in_words(const LogReader& reader) {
  // The kernel gives no number for a process in another container.
  const std::string process = reader.process > 0 ? "process " + std::to_string(reader.process)
                                                 : "another container's process";
  return reader.command.empty() ? process : process + " (" + reader.command + ")";
}

}  // namespace verbatim::sqlite
