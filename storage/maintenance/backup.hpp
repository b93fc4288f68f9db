// Copies a database while it is in use.
//
// Any thread, with a connection of its own. The writer is not delayed; its WAL grows until the copy
// is done.
#pragma once

#include <cstdint>
#include <filesystem>

#include "storage/maintenance/check.hpp"

namespace verbatim::maintenance {

struct Backup {
  std::uintmax_t bytes = 0;
  StoreCounts counts;
};

/// Copies everything that was durable at the start into one file, readable only by its owner. The
/// file is checked and synced before it gets its name. Throws StorageError and then leaves no file
/// behind; also if `target` exists already.
Backup back_up(const std::filesystem::path& file, const std::filesystem::path& target);

}  // namespace verbatim::maintenance
