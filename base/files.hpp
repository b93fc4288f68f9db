// Files that other processes read while they are written, and files that only this process sees.
// Any thread.
#pragma once

#include <sys/types.h>

#include <filesystem>
#include <string>

namespace verbatim {

/// Writes a temporary file and renames it, so that a reader never sees a partial file. If `path` is
/// a link, the link is replaced and its target stays unchanged. Throws std::runtime_error.
void write_file_atomically(const std::filesystem::path& path, const std::string& content,
                           mode_t mode = 0644);

/// Opens an empty file without a name: it is gone when it is closed, also after a crash. Returns
/// its descriptor, which the caller closes; -1 with errno if there can be none in this folder.
int open_nameless_file(const std::filesystem::path& folder);

}  // namespace verbatim
