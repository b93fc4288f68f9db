// The files of one database: the database file, its WAL, the WAL index, and a rollback journal
// while the file is made or restored. They belong together: if the database is missing or empty,
// SQLite makes a new one and deletes or overwrites the WAL beside it.
//
// Any thread. Changes nothing.
#pragma once

#include <filesystem>

namespace verbatim::sqlite {

/// The file that the name leads to, through links: SQLite keeps the other files beside that one.
std::filesystem::path linked_file(const std::filesystem::path& database);
std::filesystem::path log_of(const std::filesystem::path& database);
std::filesystem::path index_of(const std::filesystem::path& database);
std::filesystem::path rollback_journal_of(const std::filesystem::path& database);

/// Throws StorageError, which names both files and says what to do, in these cases:
/// - a WAL or rollback journal exists, and its database is missing or empty;
/// - the database is a link that leads nowhere, or away from its WAL.
/// Opens neither the database nor its WAL index.
void require_database_of_log(const std::filesystem::path& database);
/// Throws the same if the database has no header. Opens the database, so only a process without a
/// connection to it may call this. Closing any descriptor of a file gives up all locks that the
/// process holds on it (POSIX). Another process would then believe it is the last one and remove
/// the WAL.
void require_header_of_log(const std::filesystem::path& database);
/// Throws StorageError if the file's header shows that the start could not open it: it is not a
/// database, another program's, or a later version's. A missing or empty file is made. The same
/// condition.
void require_own_header(const std::filesystem::path& database);

}  // namespace verbatim::sqlite
