// The file of the full-text index. It has no text that the database lacks, so one that cannot be
// read is removed and made again.
//
// Used by one thread at a time. All functions throw StorageError.
#pragma once

#include <cstddef>
#include <cstdint>
#include <filesystem>
#include <memory>
#include <optional>
#include <string>
#include <vector>

#include "storage/sqlite/database.hpp"

namespace verbatim::search {

/// The name of the index beside a database.
std::filesystem::path index_file_of(const std::filesystem::path& database);

/// Removes the index and its log. It is made again from the database.
void remove_index(const std::filesystem::path& file);

/// The table that has the words of a session, by its row id in the database.
std::int64_t shard_of(std::int64_t session);
std::string table_of(std::int64_t shard);

/// Row ids of the index hold the session's row id and the place of the turn in it.
inline constexpr int turn_bits = 20;
inline constexpr std::int64_t first_row_of(std::int64_t session) { return session << turn_bits; }
inline constexpr std::int64_t session_of_row(std::int64_t row) { return row >> turn_bits; }

/// A turn whose words are indexed.
struct IndexedTurn {
  int attempt = 0;
  int ordinal = 0;
  int role = 0;
  std::string text;
};

class SearchFile {
 public:
  /// Opens the file, or makes it. One that is damaged, foreign or of another version is removed
  /// first.
  explicit SearchFile(const std::filesystem::path& file);

  /// The store (meta.store) whose words it has, and its last change (attempt.changed) in them.
  struct Position {
    std::string store;
    std::int64_t up_to = 0;
  };
  Position position();
  void move_to(const Position& position);
  /// Removes all words.
  void clear();

  /// Replaces the session's words.
  void put(std::int64_t session, const std::string& public_id,
           const std::vector<IndexedTurn>& turns);
  /// Removes the words of sessions, so that no page has them any more. The write-ahead log may:
  /// see scrub().
  void erase(const std::vector<std::int64_t>& sessions);
  /// Empties the write-ahead log. False if a reader prevents that.
  bool scrub();
  /// Moves the log into the file as far as that needs no waiting.
  void checkpoint();

  struct Session {
    std::int64_t id = 0;
    std::string public_id;
  };
  /// Indexed sessions with a higher id than this, in order.
  std::vector<Session> sessions_after(std::int64_t id, std::size_t limit);
  std::vector<std::int64_t> rows_named(const std::string& public_id);

  sqlite::Database& database() { return database_; }

 private:
  void remove_rows(std::int64_t session);
  void require_table(std::int64_t shard);

  sqlite::Database database_;
};

/// Opens the index for reads; throws not_found if there is none.
std::unique_ptr<sqlite::Database> open_to_read(const std::filesystem::path& file);

}  // namespace verbatim::search
