#include "storage/sqlite/store_files.hpp"

#include <array>
#include <cstdint>
#include <cstring>
#include <fstream>
#include <string>

#include "storage/sqlite/schema.hpp"
#include "storage/store/error.hpp"

namespace verbatim::sqlite {
namespace {

namespace fs = std::filesystem;

/// The kernel follows at most this many links.
constexpr int links_max = 40;

fs::path beside(const fs::path& file, const char* suffix) { return file.string() + suffix; }

/// True also for a link that leads nowhere.
bool is_there(const fs::path& file) {
  std::error_code ec;
  return fs::exists(fs::symlink_status(file, ec));
}

std::uintmax_t bytes_in(const fs::path& file) {
  std::error_code none;
  const auto bytes = fs::file_size(file, none);
  return none ? 0 : bytes;
}

bool has_header(const fs::path& database) {
  constexpr char magic[] = "SQLite format 3";
  std::array<char, 100> header{};
  std::ifstream in(database, std::ios::binary);
  in.read(header.data(), header.size());
  return in.gcount() == static_cast<std::streamsize>(header.size()) &&
         std::memcmp(header.data(), magic, sizeof magic) == 0;
}

/// True if the rollback journal belongs to a database that had pages. While SQLite makes a file,
/// its journal has none; SQLite removes such a journal after a crash.
bool restores_pages(const fs::path& journal) {
  std::array<unsigned char, 28> header{};
  std::ifstream in(journal, std::ios::binary);
  in.read(reinterpret_cast<char*>(header.data()), header.size());
  if (in.gcount() != static_cast<std::streamsize>(header.size())) return false;
  constexpr unsigned char magic[] = {0xd9, 0xd5, 0x05, 0xf9, 0x20, 0xa1, 0x63, 0xd7};
  const bool pages_before =
      header[16] != 0 || header[17] != 0 || header[18] != 0 || header[19] != 0;
  return std::memcmp(header.data(), magic, sizeof magic) == 0 && pages_before;
}

[[noreturn]] void refuse(const fs::path& database, const char* state, const fs::path& log) {
  throw store::StorageError(
      store::Failure::corrupt,
      database.string() + ": " + state + ", but " + log.string() +
          " belongs to it and would be overwritten. Nothing was changed. Put the database back "
          "beside it; or restore a backup and move " +
          log.string() +
          " away; or move both away to start with an empty store (docs/durability.md, Restore)");
}

/// If a database was moved and a link left in its place, its WAL may have stayed beside the link.
void refuse_log_beside_link(const fs::path& link, const fs::path& file) {
  for (const char* suffix : {"-wal", "-journal"}) {
    const fs::path log = beside(link, suffix);
    std::error_code ec;
    if (bytes_in(log) == 0 || fs::equivalent(log, beside(file, suffix), ec)) continue;
    throw store::StorageError(
        store::Failure::corrupt,
        log.string() + ": is not read, because " + link.string() + " is a link to " +
            file.string() + ". Nothing was changed. If it belongs to that database, move it to " +
            beside(file, suffix).string() + "; otherwise move it away");
  }
}

}  // namespace

fs::path linked_file(const fs::path& database) {
  fs::path file = database;
  std::error_code ec;
  for (int i = 0; i < links_max && fs::is_symlink(file, ec); ++i) {
    const fs::path target = fs::read_symlink(file, ec);
    if (ec) break;
    file = target.is_absolute() ? target : file.parent_path() / target;
  }
  return file;
}

fs::path log_of(const fs::path& database) { return beside(linked_file(database), "-wal"); }

fs::path index_of(const fs::path& database) { return beside(linked_file(database), "-shm"); }

fs::path rollback_journal_of(const fs::path& database) {
  return beside(linked_file(database), "-journal");
}

void require_database_of_log(const fs::path& database) {
  const fs::path file = linked_file(database);
  if (file != database) refuse_log_beside_link(database, file);
  const fs::path log = log_of(database);
  const fs::path rollback = rollback_journal_of(database);
  if (!is_there(file)) {
    if (is_there(log)) refuse(file, "is missing", log);
    if (bytes_in(rollback) > 0) refuse(file, "is missing", rollback);
    if (file != database)
      throw store::StorageError(
          store::Failure::not_found,
          database.string() + ": is a link to " + file.string() +
              ", which is not there; put that back (is its disk mounted?) or remove "
              "the link to start with an empty store");
    return;
  }
  if (bytes_in(file) == 0) {
    if (bytes_in(log) > 0) refuse(file, "is empty", log);
    if (restores_pages(rollback)) refuse(file, "is empty", rollback);
  }
}

void require_header_of_log(const fs::path& database) {
  const fs::path file = linked_file(database);
  const fs::path log = log_of(database);
  if (bytes_in(file) > 0 && bytes_in(log) > 0 && !has_header(file))
    refuse(file, "has no header of a database", log);
}

void require_own_header(const fs::path& database) {
  const fs::path file = linked_file(database);
  if (bytes_in(file) == 0) return;
  const auto refuse_it = [&](store::Failure failure, const std::string& what) {
    throw store::StorageError(failure, file.string() + ": " + what);
  };
  if (!has_header(file))
    refuse_it(store::Failure::other,
              "is not a SQLite database; move it away to start with an empty store");
  std::array<unsigned char, 100> header{};
  std::ifstream in(file, std::ios::binary);
  in.read(reinterpret_cast<char*>(header.data()), header.size());
  const auto number_at = [&header](std::size_t at) {
    return static_cast<std::uint32_t>(header[at] << 24 | header[at + 1] << 16 |
                                      header[at + 2] << 8 | header[at + 3]);
  };
  // https://www.sqlite.org/fileformat2.html#the_database_header
  const std::uint32_t schema_changes = number_at(40);
  const std::uint32_t version = number_at(60);
  const std::uint32_t owner = number_at(68);
  if (owner == 0 && schema_changes == 0) return;
  if (owner != static_cast<std::uint32_t>(application_id))
    refuse_it(store::Failure::other,
              "is a database of another program; set server.data_dir to another directory");
  if (version > schema_steps().size())
    refuse_it(store::Failure::newer_schema, "written by a later version of Verbatim (schema " +
                                                std::to_string(version) + ", this program knows " +
                                                std::to_string(schema_steps().size()) +
                                                "); run that version or a newer one");
}

}  // namespace verbatim::sqlite
