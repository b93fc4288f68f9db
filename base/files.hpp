// Files that others read while they are written. Any thread.
#pragma once

#include <sys/types.h>

#include <filesystem>
#include <string>

namespace verbatim {

/// Writes beside and renames, so that a reader never sees half of it. A link in that place is
/// replaced: nothing is written to where it leads. Throws std::runtime_error.
void write_file_atomically(const std::filesystem::path& path, const std::string& content,
                           mode_t mode = 0644);

}  // namespace verbatim
