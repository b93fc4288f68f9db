// File operations that SQLite does not do. Any thread. All throw StorageError.
#pragma once

#include <filesystem>
#include <string>

#include "storage/store/error.hpp"

namespace verbatim::sqlite {

/// The error for `what`, an attempt on the file, from an errno.
store::StorageError system_error(const std::filesystem::path& file, const std::string& what,
                                 int error);

/// Makes the file, readable only by its owner, unless it exists. SQLite gives the WAL and its index
/// the same permissions.
void make_private_file(const std::filesystem::path& file);

/// Syncs the file's folder: names made or removed there survive a power cut from then on.
void sync_folder_of(const std::filesystem::path& file);

}  // namespace verbatim::sqlite
