// What a power cut may leave of a folder, from everything that SQLite did to its files: what was
// synced is there; of what was not, any sectors in any mixture of old and new, any size, and
// names that were made or removed, or not yet.
//
// DiskLog takes part on any thread; a Platter is used by one at a time.
#pragma once

#include <condition_variable>
#include <cstdint>
#include <filesystem>
#include <map>
#include <mutex>
#include <optional>
#include <string>
#include <vector>

#include "tests/support/fault_vfs.hpp"

namespace verbatim::test {

/// Everything that happens in one folder, in order.
class DiskLog final : public DiskWatch {
 public:
  explicit DiskLog(const std::filesystem::path& folder) : folder_(folder.string()) {}

  void happened(DiskOperation operation) override;
  /// How many operations there have been.
  std::size_t now() const;
  /// Waits until something of this kind happens to this file, `since` then or later.
  bool wait_for(DiskOperation::Kind kind, const std::filesystem::path& file, std::size_t since);
  /// Once nothing happens any more.
  const std::vector<DiskOperation>& operations() const { return operations_; }

 private:
  const std::string folder_;
  mutable std::mutex mutex_;
  std::condition_variable grown_;
  std::vector<DiskOperation> operations_;
};

class Platter {
 public:
  /// What is in the folder now is on the disk.
  explicit Platter(const std::filesystem::path& folder);

  void apply(const DiskOperation& operation);
  /// Puts one of the states that the disk may be in after a cut into an empty folder.
  void leave(const std::filesystem::path& folder, std::uint32_t seed) const;

 private:
  struct File {
    std::string on_disk;
    std::vector<DiskOperation> pending;
    std::map<std::uint64_t, std::size_t> syncs;  ///< under way: how many of `pending` each covers
    void end_sync(std::uint64_t which);
  };
  /// What a name stood for since the names were last synced; the last is now. Nothing: no file.
  using Meanings = std::vector<std::optional<std::size_t>>;

  File& now(const std::string& name);

  std::vector<File> files_;
  std::map<std::string, Meanings> names_;
};

}  // namespace verbatim::test
