// The database's schema and its migrations. FORMAT.md describes the tables.
//
// The schema only moves forward. Each step is one transaction that includes its version number, so
// a failed step changes nothing. On the database's thread; throws StorageError.
#pragma once

#include <span>
#include <string>

namespace verbatim::sqlite {

class Database;

/// "Verb" in the file header identifies a Verbatim database.
inline constexpr int application_id = 0x56657262;

/// steps[0] makes an empty file version 1, steps[1] makes version 1 into version 2, and so on.
std::span<const char* const> schema_steps();

/// A schema of another kind of file, which has a mark of its own in its header.
struct Schema {
  int application_id = 0;
  std::span<const char* const> steps;
};
Schema main_schema();

/// Returns the file's version, 0 if it is empty. Throws StorageError if it is not a Verbatim
/// database (other), or if a later program wrote it (newer_schema).
int identify(Database& database, const Schema& schema);

/// Migrates the file from `version` to the newest of these steps.
void migrate(Database& database, int version, const Schema& schema);
void migrate(Database& database, int version, std::span<const char* const> steps);

/// For read-only connections, which cannot migrate. Throws StorageError if the file is older.
void require_current_schema(Database& database, int version);
void require_current_schema(Database& database, int version, const Schema& schema);

}  // namespace verbatim::sqlite
