#include "server/recording/disk_file.hpp"

#include <fcntl.h>
#include <sys/stat.h>
#include <unistd.h>

#include <algorithm>
#include <cerrno>
#include <ctime>

namespace verbatim::recording {

DiskFile DiskFile::open(const std::filesystem::path& path) {
  return DiskFile(::open(path.c_str(), O_RDONLY | O_CLOEXEC | O_NOFOLLOW));
}

DiskFile DiskFile::create(const std::filesystem::path& path) {
  return DiskFile(
      ::open(path.c_str(), O_RDWR | O_CREAT | O_EXCL | O_CLOEXEC | O_NOFOLLOW | O_APPEND, 0600));
}

DiskFile::~DiskFile() {
  const int failed = errno;
  if (descriptor_ >= 0) ::close(descriptor_);
  errno = failed;
}

std::int64_t DiskFile::size() const {
  struct stat found {};
  return ::fstat(descriptor_, &found) == 0 ? found.st_size : -1;
}

std::int64_t DiskFile::read(std::uint64_t offset, char* into, std::size_t count) const {
  std::size_t have = 0;
  while (have < count) {
    const ssize_t got =
        ::pread(descriptor_, into + have, count - have, static_cast<off_t>(offset + have));
    if (got < 0 && errno == EINTR) continue;
    if (got < 0) return -1;
    if (got == 0) break;
    have += static_cast<std::size_t>(got);
  }
  return static_cast<std::int64_t>(have);
}

bool DiskFile::append(std::string_view bytes) {
  while (!bytes.empty()) {
    const ssize_t written = ::write(descriptor_, bytes.data(), bytes.size());
    if (written < 0 && errno == EINTR) continue;
    if (written == 0) errno = ENOSPC;
    if (written <= 0) return false;
    bytes.remove_prefix(static_cast<std::size_t>(written));
  }
  return true;
}

bool DiskFile::sync() { return ::fsync(descriptor_) == 0; }

void DiskFile::forget_cached() const { ::posix_fadvise(descriptor_, 0, 0, POSIX_FADV_DONTNEED); }

bool DiskFile::take_time_of(const DiskFile& other) {
  struct stat found {};
  if (::fstat(other.descriptor_, &found) != 0) return false;
  const timespec times[2] = {found.st_atim, found.st_mtim};
  return ::futimens(descriptor_, times) == 0;
}

bool sync_folder(const std::filesystem::path& folder) {
  const int descriptor = ::open(folder.c_str(), O_RDONLY | O_DIRECTORY | O_CLOEXEC);
  if (descriptor < 0) return false;
  const bool good = ::fsync(descriptor) == 0;
  const int failed = errno;
  ::close(descriptor);
  errno = failed;
  return good;
}

}  // namespace verbatim::recording
