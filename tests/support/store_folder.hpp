// Builds a folder with a database as a kill leaves it, and compares folders byte for byte.
#pragma once

#include <filesystem>
#include <fstream>
#include <iterator>
#include <map>
#include <string>

#include <catch2/catch.hpp>

#include "session/transcript/transcript.hpp"
#include "storage/rows/transcript_store.hpp"
#include "storage/sqlite/database.hpp"
#include "storage/sqlite/store_files.hpp"
#include "tests/support/journal_driver.hpp"
#include "tests/support/temp_dir.hpp"

namespace verbatim::test {

inline std::string bytes_of(const std::filesystem::path& file) {
  std::ifstream in(file, std::ios::binary);
  return {std::istreambuf_iterator<char>(in), {}};
}

inline void put_bytes(const std::filesystem::path& file, const std::string& bytes) {
  std::ofstream(file, std::ios::binary | std::ios::trunc) << bytes;
}

/// Flips one bit of the byte at `at`.
inline void flip(const std::filesystem::path& file, std::size_t at) {
  std::string bytes = bytes_of(file);
  REQUIRE(at < bytes.size());
  bytes[at] = static_cast<char>(bytes[at] ^ 0x10);
  put_bytes(file, bytes);
}

using FolderContent = std::map<std::string, std::string>;

inline FolderContent content_of(const std::filesystem::path& folder) {
  FolderContent content;
  for (const auto& entry : std::filesystem::recursive_directory_iterator(folder)) {
    const std::string name = std::filesystem::relative(entry.path(), folder).string();
    content[name] = entry.is_symlink()        ? "-> " + read_symlink(entry.path()).string()
                    : entry.is_regular_file() ? bytes_of(entry.path())
                                              : "folder";
  }
  return content;
}

/// Prints which files differ, not all their bytes.
inline std::string changes(const FolderContent& before, const FolderContent& after) {
  std::string said;
  for (const auto& [name, bytes] : before) {
    const auto now = after.find(name);
    if (now == after.end()) {
      said += name + " is gone; ";
    } else if (now->second != bytes) {
      said += name + " has changed; ";
    }
  }
  for (const auto& [name, bytes] : after)
    if (!before.contains(name)) said += name + " is new; ";
  return said;
}

inline void copy_store(const std::filesystem::path& from, const std::filesystem::path& to) {
  for (const char* suffix : {"", "-wal", "-shm"})
    if (std::filesystem::exists(from.string() + suffix))
      std::filesystem::copy_file(from.string() + suffix, to.string() + suffix);
}

/// As a kill leaves the files.
inline void copy_as_killed(const std::filesystem::path& from, const std::filesystem::path& to) {
  for (const char* suffix : {"", "-wal"})
    std::filesystem::copy_file(from.string() + suffix, to.string() + suffix,
                               std::filesystem::copy_options::overwrite_existing);
}

/// Leaves a session "s1" with `words` words, each in a commit of its own, as after a kill. The
/// attempt is in the database; all words are only in the WAL.
inline void leave_killed_store(const std::filesystem::path& file, int words = 12) {
  const TempDir dir;
  JournalWatch watch;
  journal::SqliteJournal journal({.file = dir / "live.db"}, watch);
  const auto attempt =
      open_attempt(journal, {.session_id = "s1", .user = "ann", .model = "m", .now = 1000})
          .attempt.attempt;
  REQUIRE(
      watch.wait_durable(journal.append(attempt, 1001, placed("i1", transcript::Role::assistant))));
  // As the checkpointer does when it is idle.
  sqlite::Database other(dir / "live.db");
  REQUIRE(becomes([&] { return other.checkpoint(sqlite::Database::Checkpoint::truncate); }));
  for (int i = 0; i < words; ++i)
    REQUIRE(watch.wait_durable(
        journal.append(attempt, 1002 + i, delta("i1", "word" + std::to_string(i) + " "))));
  copy_store(dir / "live.db", file);
}

}  // namespace verbatim::test
