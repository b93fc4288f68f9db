#include "storage/sqlite/files.hpp"

#include <fcntl.h>
#include <unistd.h>

#include <cerrno>
#include <cstring>

namespace verbatim::sqlite {

namespace fs = std::filesystem;

store::StorageError system_error(const fs::path& file, const std::string& what, int error) {
  const store::Failure failure = error == ENOSPC ? store::Failure::disk_full
                                 : error == EIO  ? store::Failure::io_error
                                                 : store::Failure::read_only;
  return store::StorageError(failure, file.string() + ": " + what + ": " + std::strerror(error) +
                                          "; " + store::advice_for(failure));
}

void make_private_file(const fs::path& file) {
  const int made = ::open(file.c_str(), O_CREAT | O_EXCL | O_RDWR | O_CLOEXEC, 0600);
  if (made < 0 && errno != EEXIST) throw system_error(file, "cannot be made", errno);
  if (made >= 0) ::close(made);
  // SQLite syncs a folder only after it makes a WAL or a journal.
  sync_folder_of(file);
}

void sync_folder_of(const fs::path& file) {
  const fs::path folder = file.has_parent_path() ? file.parent_path() : fs::path(".");
  const int opened = ::open(folder.c_str(), O_RDONLY | O_DIRECTORY | O_CLOEXEC);
  const int synced = opened < 0 ? -1 : ::fsync(opened);
  const int error = errno;
  if (opened >= 0) ::close(opened);
  if (synced != 0) throw system_error(folder, "cannot be synced", error);
}

}  // namespace verbatim::sqlite
