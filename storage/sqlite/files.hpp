// Files as such: what SQLite does not do for us. Any thread. All throw StorageError.
#pragma once

#include <filesystem>
#include <string>

#include "storage/sqlite/error.hpp"

namespace verbatim::storage {

/// What the system said when `what` was tried with the file.
StorageError system_error(const std::filesystem::path& file, const std::string& what, int error);

/// Makes the file for its owner's eyes only, unless it is there. SQLite gives its log and index
/// the same permissions, so one mode covers all three.
void make_private_file(const std::filesystem::path& file);

/// The names in the file's folder, made and removed ones, survive a power cut from now on.
void sync_folder_of(const std::filesystem::path& file);

}  // namespace verbatim::storage
