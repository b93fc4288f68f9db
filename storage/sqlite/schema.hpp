// What a Verbatim database looks like, and how an older one becomes today's. Tables: FORMAT.md.
//
// Steps only go forward. Each runs in a transaction of its own together with its version number,
// so a step that fails has changed nothing.
#pragma once

#include <span>
#include <string>

namespace verbatim::storage {

class Database;

/// "Verb" in the file's header, so that tools and we ourselves know the file.
inline constexpr int application_id = 0x56657262;

/// steps[0] makes an empty file version 1, steps[1] makes that version 2, and so on.
std::span<const char* const> schema_steps();

/// The file's version, 0 if it is empty. Throws StorageError if the file is not ours.
int identify(Database& database);

/// Brings the file from `version` to the newest; throws newer_schema if it is beyond that.
void migrate(Database& database, int version);
void migrate(Database& database, int version, std::span<const char* const> steps);

/// For readers, who cannot migrate.
void require_current_schema(Database& database, int version);

}  // namespace verbatim::storage
