#include "storage/journal/file_watch.hpp"

#include "storage/store/error.hpp"

namespace verbatim::storage {

void FileWatch::watch(Database& database) {
  files_.store(std::make_shared<const OpenFiles>(database), std::memory_order_release);
}

void FileWatch::forget() { files_.store(nullptr, std::memory_order_release); }

void FileWatch::check() const {
  if (const auto files = files_.load(std::memory_order_acquire)) files->check();
}

bool FileWatch::look() {
  if (taken_away()) return false;
  try {
    check();
  } catch (const StorageError&) {
    taken_away_.store(true, std::memory_order_release);
    return true;
  }
  return false;
}

}  // namespace verbatim::storage
