// An open file, closed when it goes out of scope. Errors are values: errno says why.
//
// Any thread, one at a time.
#pragma once

#include <cstddef>
#include <cstdint>
#include <filesystem>
#include <string_view>
#include <utility>

namespace verbatim::recording {

class DiskFile {
 public:
  /// Follows no link.
  static DiskFile open(const std::filesystem::path& path);
  /// A new file that only the owner can read. Fails if there is one.
  static DiskFile create(const std::filesystem::path& path);

  DiskFile() = default;
  ~DiskFile();
  DiskFile(DiskFile&& other) noexcept : descriptor_(std::exchange(other.descriptor_, -1)) {}
  DiskFile& operator=(DiskFile&& other) noexcept {
    std::swap(descriptor_, other.descriptor_);
    return *this;
  }
  explicit operator bool() const { return descriptor_ >= 0; }

  /// -1: unknown.
  std::int64_t size() const;
  /// Fewer bytes at the end; -1: it failed.
  std::int64_t read(std::uint64_t offset, char* into, std::size_t count) const;
  bool append(std::string_view bytes);
  /// On the disk, with its size.
  bool sync();
  /// The next reads come from the disk, not from the kernel's copy.
  void forget_cached() const;
  /// Takes over the time of the last change.
  bool take_time_of(const DiskFile& other);

 private:
  explicit DiskFile(int descriptor) : descriptor_(descriptor) {}

  int descriptor_ = -1;
};

/// The names in the folder are on the disk.
bool sync_folder(const std::filesystem::path& folder);

}  // namespace verbatim::recording
