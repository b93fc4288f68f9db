// A copy of a database that is in use.
//
// Any thread, with a connection of its own. The writer is not held up: it goes on in its log,
// which only grows until the copy is done.
#pragma once

#include <cstdint>
#include <filesystem>

#include "storage/maintenance/check.hpp"

namespace verbatim::storage {

struct Backup {
  std::uintmax_t bytes = 0;
  StoreCounts counts;
};

/// Everything that was durable when it began, as one private file that is checked, synced and only
/// then has its name. Throws StorageError, and leaves nothing behind then: also if something of
/// that name is there.
Backup back_up(const std::filesystem::path& file, const std::filesystem::path& target);

}  // namespace verbatim::storage
