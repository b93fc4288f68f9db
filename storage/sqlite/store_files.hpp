// The files that make one database: the file itself, its log, the log's index, and a rollback
// journal while the file is made or restored. They belong together: SQLite takes a missing or empty
// database for a new one and deletes or overwrites the log beside it.
//
// Any thread. Changes nothing.
#pragma once

#include <filesystem>

namespace verbatim::storage {

/// Where the name leads, through links: SQLite keeps the other files there.
std::filesystem::path linked_file(const std::filesystem::path& database);
std::filesystem::path log_of(const std::filesystem::path& database);
std::filesystem::path index_of(const std::filesystem::path& database);
std::filesystem::path rollback_journal_of(const std::filesystem::path& database);

/// Throws StorageError, with the names of both and what to do, if a log or a rollback journal is
/// there and its database is missing or empty; or if the database is a link that leads nowhere or
/// away from its log. Opens neither the database nor its index.
void require_database_of_log(const std::filesystem::path& database);
/// The same if the database has no header. Opens the database, so it is only for a process that has
/// no connection to it: to close any descriptor of a file gives up all locks that the process holds
/// on it (POSIX), and another process would then take itself for the last one and remove the log.
void require_header_of_log(const std::filesystem::path& database);

}  // namespace verbatim::storage
