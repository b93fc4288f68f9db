#include "storage/journal/file_watch.hpp"

#include "storage/store/error.hpp"

namespace verbatim::journal {

void FileWatch::watch(sqlite::Database& database) {
  files_.store(std::make_shared<const sqlite::OpenFiles>(database), std::memory_order_release);
}

void FileWatch::forget() { files_.store(nullptr, std::memory_order_release); }

void FileWatch::check() const {
  if (const auto files = files_.load(std::memory_order_acquire)) files->check();
}

bool FileWatch::look() {
  if (taken_away()) return false;
  try {
    check();
  } catch (const store::StorageError&) {
    taken_away_.store(true, std::memory_order_release);
    return true;
  }
  return false;
}

}  // namespace verbatim::journal
