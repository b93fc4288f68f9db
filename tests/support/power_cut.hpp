// Simulates a power cut: from all of SQLite's operations, makes a state of the folder that may be
// left. Synced bytes are there. Unsynced sectors are old or new in any mixture, sizes vary, and
// names may be made or removed or not yet.
//
// Any thread may add to a DiskLog; a Platter is used by one at a time.
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

/// All operations in one folder, in order.
class DiskLog final : public DiskWatch {
 public:
  explicit DiskLog(const std::filesystem::path& folder) : folder_(folder.string()) {}

  void happened(DiskOperation operation) override;
  /// Number of operations so far.
  std::size_t now() const;
  /// Waits until this kind of operation happens to this file, at operation `since` or later.
  bool wait_for(DiskOperation::Kind kind, const std::filesystem::path& file, std::size_t since);
  /// Waits until nothing happens any more.
  const std::vector<DiskOperation>& operations() const { return operations_; }

 private:
  const std::string folder_;
  mutable std::mutex mutex_;
  std::condition_variable grown_;
  std::vector<DiskOperation> operations_;
};

class Platter {
 public:
  /// Declares that everything in the folder now is on the disk.
  explicit Platter(const std::filesystem::path& folder);

  void apply(const DiskOperation& operation);
  /// Puts one possible state of the disk after a cut into an empty folder.
  void leave(const std::filesystem::path& folder, std::uint32_t seed) const;

 private:
  struct File {
    std::string on_disk;
    std::vector<DiskOperation> pending;
    std::map<std::uint64_t, std::size_t> syncs;  ///< running: how many of `pending` each covers
    void end_sync(std::uint64_t which);
  };
  /// The meanings of a name since names were last synced; the last is the current one. nullopt: no
  /// file.
  using Meanings = std::vector<std::optional<std::size_t>>;

  File& now(const std::string& name);

  std::vector<File> files_;
  std::map<std::string, Meanings> names_;
};

}  // namespace verbatim::test
