#include "tests/support/fault_vfs.hpp"

#include <sqlite3.h>
#include <unistd.h>

#include <new>
#include <string_view>
#include <utility>

namespace verbatim::test {
namespace {

struct Plan {
  std::atomic<std::uint64_t> writes{0};
  std::atomic<std::uint64_t> log_syncs{0};
  std::atomic<std::uint64_t> database_syncs{0};
  std::atomic<int> log_syncs_waiting{0};
  std::atomic<int> database_syncs_waiting{0};
  std::atomic<std::uint64_t> syncs_begun{0};
  std::atomic<bool> log_unsynced{false};
  std::atomic<int> log_sync_fuse{0};
  std::atomic<int> database_sync_fuse{0};
  std::atomic<int> log_write_fuse{0};
  std::atomic<int> database_write_fuse{0};
  std::atomic<bool> full{false};
  std::atomic<bool> hold_log{false};
  std::atomic<bool> hold_database{false};
  std::string confined_to;
  std::atomic<DiskWatch*> watch{nullptr};
  std::atomic<bool> skip_syncs{false};
};

// Never destroyed: a journal that gave up its connection keeps it open until the process ends.
Plan& plan() {
  static Plan* const one = new Plan;
  return *one;
}

/// Returns true once: at the n-th call, if the fuse was set to n.
bool burnt(std::atomic<int>& fuse) { return fuse.load() > 0 && fuse.fetch_sub(1) == 1; }

struct File {
  sqlite3_file base;
  sqlite3_file* real;
  const char* name;  ///< SQLite keeps it while the file is open
  bool is_new_log;   ///< its first sync is followed by a sync of its folder
  bool is_log;
  bool is_database;
};

File& self(sqlite3_file* file) { return *reinterpret_cast<File*>(file); }
sqlite3_file* real(sqlite3_file* file) { return self(file).real; }

/// The result of an operation, after the observer was called.
int reported(int result, const char* name, DiskOperation::Kind kind, std::int64_t at = 0,
             std::string bytes = {}) {
  DiskWatch* const watch = plan().watch;
  if (watch != nullptr && name != nullptr && result == SQLITE_OK)
    watch->happened({kind, name, static_cast<std::uint64_t>(at), std::move(bytes)});
  return result;
}

int close_file(sqlite3_file* file) { return real(file)->pMethods->xClose(real(file)); }

int read_file(sqlite3_file* file, void* to, int size, sqlite3_int64 at) {
  return real(file)->pMethods->xRead(real(file), to, size, at);
}

int write_file(sqlite3_file* file, const void* from, int size, sqlite3_int64 at) {
  const bool watched = self(file).is_log || self(file).is_database;
  if (watched && plan().full) return SQLITE_FULL;
  if (self(file).is_log && burnt(plan().log_write_fuse)) return SQLITE_IOERR_WRITE;
  if (self(file).is_database && burnt(plan().database_write_fuse)) return SQLITE_IOERR_WRITE;
  if (watched) ++plan().writes;
  if (self(file).is_log) plan().log_unsynced = true;
  return reported(real(file)->pMethods->xWrite(real(file), from, size, at), self(file).name,
                  DiskOperation::wrote, at,
                  {static_cast<const char*>(from), static_cast<std::size_t>(size)});
}

int truncate_file(sqlite3_file* file, sqlite3_int64 size) {
  if (self(file).is_log || self(file).is_database) ++plan().writes;
  return reported(real(file)->pMethods->xTruncate(real(file), size), self(file).name,
                  DiskOperation::truncated, size);
}

int sync_file(sqlite3_file* file, int flags) {
  if (self(file).is_log) {
    ++plan().log_syncs_waiting;
    plan().hold_log.wait(true);
    --plan().log_syncs_waiting;
    if (burnt(plan().log_sync_fuse)) return SQLITE_IOERR_FSYNC;
    ++plan().log_syncs;
    plan().log_unsynced = false;
  }
  if (self(file).is_database) {
    ++plan().database_syncs_waiting;
    plan().hold_database.wait(true);
    --plan().database_syncs_waiting;
    ++plan().database_syncs;
  }
  if (self(file).is_database && burnt(plan().database_sync_fuse)) return SQLITE_IOERR_FSYNC;
  const char* const name = self(file).name;
  const auto which = static_cast<std::int64_t>(++plan().syncs_begun);
  reported(SQLITE_OK, name, DiskOperation::syncing, which);
  const int result = plan().skip_syncs ? SQLITE_OK : real(file)->pMethods->xSync(real(file), flags);
  reported(result, name, DiskOperation::synced, which);
  if (std::exchange(self(file).is_new_log, false))
    reported(result, name, DiskOperation::names_synced);
  return result;
}

int file_size(sqlite3_file* file, sqlite3_int64* size) {
  return real(file)->pMethods->xFileSize(real(file), size);
}
int lock_file(sqlite3_file* file, int level) {
  return real(file)->pMethods->xLock(real(file), level);
}
int unlock_file(sqlite3_file* file, int level) {
  return real(file)->pMethods->xUnlock(real(file), level);
}
int check_reserved(sqlite3_file* file, int* out) {
  return real(file)->pMethods->xCheckReservedLock(real(file), out);
}
int file_control(sqlite3_file* file, int op, void* arg) {
  return real(file)->pMethods->xFileControl(real(file), op, arg);
}
int sector_size(sqlite3_file* file) { return real(file)->pMethods->xSectorSize(real(file)); }
int characteristics(sqlite3_file* file) {
  return real(file)->pMethods->xDeviceCharacteristics(real(file));
}
int shm_map(sqlite3_file* file, int page, int size, int extend, void volatile** out) {
  return real(file)->pMethods->xShmMap(real(file), page, size, extend, out);
}
int shm_lock(sqlite3_file* file, int offset, int n, int flags) {
  return real(file)->pMethods->xShmLock(real(file), offset, n, flags);
}
void shm_barrier(sqlite3_file* file) { real(file)->pMethods->xShmBarrier(real(file)); }
int shm_unmap(sqlite3_file* file, int remove) {
  return real(file)->pMethods->xShmUnmap(real(file), remove);
}

const sqlite3_io_methods methods = {
    2,         close_file,  read_file,      write_file,   truncate_file, sync_file,       file_size,
    lock_file, unlock_file, check_reserved, file_control, sector_size,   characteristics, shm_map,
    shm_lock,  shm_barrier, shm_unmap,      nullptr,      nullptr};

sqlite3_vfs* original = nullptr;

int open_file(sqlite3_vfs*, const char* name, sqlite3_file* file, int flags, int* out_flags) {
  auto* const wrapped = new (file) File{};
  wrapped->real = reinterpret_cast<sqlite3_file*>(wrapped + 1);
  const bool struck =
      name != nullptr && std::string_view(name).find(plan().confined_to) != std::string_view::npos;
  wrapped->is_log = struck && (flags & SQLITE_OPEN_WAL) != 0;
  wrapped->is_database = struck && (flags & SQLITE_OPEN_MAIN_DB) != 0;
  wrapped->real->pMethods = nullptr;
  wrapped->name = name;
  const bool is_new = name != nullptr && ::access(name, F_OK) != 0;
  wrapped->is_new_log = is_new && (flags & (SQLITE_OPEN_WAL | SQLITE_OPEN_MAIN_JOURNAL)) != 0;
  const int result = original->xOpen(original, name, wrapped->real, flags, out_flags);
  wrapped->base.pMethods = wrapped->real->pMethods != nullptr ? &methods : nullptr;
  return reported(result, name, is_new ? DiskOperation::made : DiskOperation::opened);
}

int delete_file(sqlite3_vfs*, const char* name, int sync_names) {
  const int result = reported(original->xDelete(original, name, plan().skip_syncs ? 0 : sync_names),
                              name, DiskOperation::removed);
  return sync_names ? reported(result, name, DiskOperation::names_synced) : result;
}

/// Made once and kept, for the same reason as the plan.
sqlite3_vfs* shim() {
  static sqlite3_vfs* const one = [] {
    original = sqlite3_vfs_find(nullptr);
    auto* const made = new sqlite3_vfs(*original);
    made->szOsFile = static_cast<int>(sizeof(File)) + original->szOsFile;
    made->pNext = nullptr;
    made->zName = "verbatim-faults";
    made->xOpen = open_file;
    made->xDelete = delete_file;
    return made;
  }();
  return one;
}

}  // namespace

FaultVfs::FaultVfs() {
  sqlite3_vfs_register(shim(), 1);
  Plan& fresh = plan();
  fresh.writes = 0;
  fresh.log_syncs = 0;
  fresh.database_syncs = 0;
  fresh.log_unsynced = false;
  fresh.log_sync_fuse = 0;
  fresh.database_sync_fuse = 0;
  fresh.log_write_fuse = 0;
  fresh.database_write_fuse = 0;
  fresh.full = false;
  fresh.hold_log = false;
  fresh.hold_database = false;
  fresh.confined_to.clear();
  fresh.watch = nullptr;
  fresh.skip_syncs = false;
}

FaultVfs::~FaultVfs() { sqlite3_vfs_register(original, 1); }

std::uint64_t FaultVfs::writes() const { return plan().writes; }
std::uint64_t FaultVfs::log_syncs() const { return plan().log_syncs; }
std::uint64_t FaultVfs::database_syncs() const { return plan().database_syncs; }
bool FaultVfs::log_sync_waits() const { return plan().log_syncs_waiting > 0; }
bool FaultVfs::database_sync_waits() const { return plan().database_syncs_waiting > 0; }
bool FaultVfs::log_unsynced() const { return plan().log_unsynced; }
void FaultVfs::fail_log_sync(int n) { plan().log_sync_fuse = n; }
void FaultVfs::fail_database_sync(int n) { plan().database_sync_fuse = n; }
void FaultVfs::fail_log_write(int n) { plan().log_write_fuse = n; }
void FaultVfs::fail_database_write(int n) { plan().database_write_fuse = n; }
void FaultVfs::fill_disk(bool full) { plan().full = full; }
void FaultVfs::confine(const std::string& part) { plan().confined_to = part; }
void FaultVfs::hold_log_sync(bool hold) {
  plan().hold_log = hold;
  plan().hold_log.notify_all();
}
void FaultVfs::hold_database_sync(bool hold) {
  plan().hold_database = hold;
  plan().hold_database.notify_all();
}
void FaultVfs::report_to(DiskWatch* watch) { plan().watch = watch; }
void FaultVfs::skip_syncs(bool skip) { plan().skip_syncs = skip; }

}  // namespace verbatim::test
