#include "base/files.hpp"

#include <fcntl.h>
#include <unistd.h>

#include <cerrno>
#include <cstdlib>
#include <cstring>
#include <stdexcept>

namespace verbatim {

namespace {

/// Throws with the file's name and the text of errno.
[[noreturn]] void refuse(const std::filesystem::path& file) {
  throw std::runtime_error("cannot write " + file.string() + ": " + std::strerror(errno) +
                           ". Check that its directory exists and may be written.");
}

}  // namespace

void write_file_atomically(const std::filesystem::path& path, const std::string& content,
                           mode_t mode) {
  const std::filesystem::path aside = path.string() + ".tmp";
  ::unlink(aside.c_str());
  // Create a new file; never follow a link of that name.
  const int file =
      ::open(aside.c_str(), O_WRONLY | O_CREAT | O_EXCL | O_NOFOLLOW | O_CLOEXEC, mode);
  if (file < 0) refuse(aside);
  const auto written = ::write(file, content.data(), content.size());
  const bool whole = written == static_cast<ssize_t>(content.size());
  if (written >= 0 && !whole) errno = ENOSPC;
  ::close(file);
  if (!whole) refuse(aside);
  std::filesystem::rename(aside, path);
}

int open_nameless_file(const std::filesystem::path& folder) {
  const int nameless = ::open(folder.c_str(), O_TMPFILE | O_RDWR | O_CLOEXEC, 0600);
  if (nameless >= 0) return nameless;
  // Not every file system supports O_TMPFILE; then the name exists for a moment.
  std::string name = (folder / "verbatim-XXXXXX").string();
  const int named = ::mkostemp(name.data(), O_CLOEXEC);
  if (named >= 0) ::unlink(name.c_str());
  return named;
}

}  // namespace verbatim
