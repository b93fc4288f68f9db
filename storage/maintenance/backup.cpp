#include "storage/maintenance/backup.hpp"

#include <fcntl.h>
#include <unistd.h>

#include <cerrno>
#include <cstdio>
#include <cstdlib>

#include "storage/sqlite/database.hpp"
#include "storage/sqlite/files.hpp"

namespace verbatim::maintenance {
namespace {

namespace fs = std::filesystem;

/// The copy under a temporary name in the target's folder; the destructor removes it unless it was
/// kept.
class Draft {
 public:
  explicit Draft(const fs::path& target) : target_(target), name_(target.string() + ".XXXXXX") {
    descriptor_ = ::mkostemp(name_.data(), O_CLOEXEC);
    if (descriptor_ < 0) throw sqlite::system_error(target, "cannot be made", errno);
  }
  ~Draft() {
    ::close(descriptor_);
    for (const char* suffix : {"", "-journal", "-wal", "-shm"}) {
      std::error_code ignored;
      fs::remove(name_ + suffix, ignored);
    }
  }
  Draft(const Draft&) = delete;
  Draft& operator=(const Draft&) = delete;

  fs::path file() const { return name_; }

  void sync() {
    if (::fsync(descriptor_) != 0) throw sqlite::system_error(target_, "cannot be synced", errno);
  }

  void keep() {
    int failed = ::renameat2(AT_FDCWD, name_.c_str(), AT_FDCWD, target_.c_str(), RENAME_NOREPLACE);
    // Not every file system supports RENAME_NOREPLACE; back_up() has checked that the target does
    // not exist.
    if (failed != 0 && errno == EINVAL) failed = ::rename(name_.c_str(), target_.c_str());
    if (failed != 0) throw sqlite::system_error(target_, "cannot be renamed", errno);
    sqlite::sync_folder_of(target_);
  }

 private:
  const fs::path target_;
  std::string name_;
  int descriptor_ = -1;
};

}  // namespace

Backup back_up(const fs::path& file, const fs::path& target) {
  if (fs::exists(fs::symlink_status(target)))
    throw store::StorageError(store::Failure::other,
                              target.string() +
                                  ": is there already and is not overwritten; give "
                                  "the backup a new name");
  sqlite::Database source(file, {.access = sqlite::Access::read_only});
  Draft draft(target);
  // Synced in pieces: one large sync at the end would delay the writer's own syncs.
  source.copy_into(draft.file(), [&] { draft.sync(); });
  Backup backup;
  {
    sqlite::Database copy(draft.file(), {.access = sqlite::Access::read_only});
    const std::string integrity = integrity_of(copy);
    if (integrity != "ok")
      throw store::StorageError(store::Failure::corrupt,
                                file.string() + ": damaged; no backup was made: " + integrity +
                                    "; " + store::advice_for(store::Failure::corrupt));
    backup.counts = count_rows(copy);
  }
  draft.sync();
  backup.bytes = fs::file_size(draft.file());
  draft.keep();
  return backup;
}

}  // namespace verbatim::maintenance
