// Injects faults into the shipped program: a library that LD_PRELOAD puts between it and libc. A
// harness writes a control file (FAULT_SHIM_CONTROL) while the program runs; it says which calls
// get which fault. The library counts the calls and the faults in the same file.
// tests/faults/shim.mjs is the harness's side and explains each action.
//
// Any thread, any time; no locks and no allocation outside `lose`. Does nothing without a control
// file.
#include <fcntl.h>
#include <signal.h>
#include <sys/mman.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/syscall.h>
#include <sys/time.h>
#include <unistd.h>

#include <dlfcn.h>

#include <algorithm>
#include <atomic>
#include <cerrno>
#include <cstdarg>
#include <cstdint>
#include <cstdlib>
#include <cstring>
#include <ctime>

extern "C" {
void* __libc_malloc(size_t);
void* __libc_calloc(size_t, size_t);
void* __libc_realloc(void*, size_t);
}

namespace {

enum Call : unsigned {
  open_,
  read_,
  write_,
  fsync_,
  fdatasync_,
  truncate_,
  mmap_,
  unlink_,
  send_,
  alloc_,
  call_count
};
enum File : unsigned { other, db, wal, shm, file_count };
enum Action : std::uint32_t { delay = 1, hold, fail, lose, shorten, kill_before, kill_after, tear };

/// The control file, byte for byte; shim.mjs uses the same offsets. `armed` is written last.
struct Rule {
  std::atomic<std::uint32_t> armed;
  std::uint32_t calls;  ///< one bit for each call
  std::uint32_t action;
  std::uint32_t unused;
  std::int64_t first, last;  ///< of the matching calls since arming, from 1
  std::int64_t value;        ///< an errno, or microseconds
  std::int64_t at_least;     ///< smallest allocation that matches, in bytes
  std::atomic<std::int64_t> seen, fired;
  char path[64];  ///< a part of the file's path; after a '*', its end; empty: any
};
struct Control {
  std::uint64_t magic;
  std::atomic<std::int64_t> clock_offset_ms;
  std::atomic<std::uint64_t> counters[call_count][file_count];
  char unused[512 - 16 - 8 * call_count * file_count];
  Rule rules[16];
};
static_assert(sizeof(Rule) == 128 && offsetof(Control, rules) == 512);

Control* control = nullptr;
int (*real_clock)(clockid_t, timespec*) = nullptr;

constexpr int fds_max = 4096;
char paths[fds_max][192];  ///< end of each open path; set before the program knows the fd

const char* path_of(int fd) { return fd >= 0 && fd < fds_max ? paths[fd] : ""; }

void remember_path(int fd, const char* path) {
  if (fd < 0 || fd >= fds_max) return;
  const std::size_t length = std::strlen(path);
  const std::size_t room = sizeof paths[fd] - 1;
  std::strcpy(paths[fd], path + (length > room ? length - room : 0));
}

bool ends_with(const char* text, const char* end) {
  const std::size_t length = std::strlen(text), wanted = std::strlen(end);
  return length >= wanted && std::strcmp(text + length - wanted, end) == 0;
}

File kind_of(const char* path) {
  return ends_with(path, "-wal")   ? wal
         : ends_with(path, "-shm") ? shm
         : ends_with(path, ".db")  ? db
                                   : other;
}

void pause_for(std::int64_t microseconds) {
  timespec left{microseconds / 1'000'000, microseconds % 1'000'000 * 1000};
  while (syscall(SYS_nanosleep, &left, &left) != 0 && errno == EINTR) {
  }
}

[[noreturn]] void die() {
  for (;;) syscall(SYS_kill, getpid(), SIGKILL);
}

/// True if this rule applies to this call; counts both.
bool strikes(Rule& rule, Call call, const char* path, std::size_t size) {
  if (rule.armed.load(std::memory_order_acquire) == 0 || (rule.calls >> call & 1u) == 0)
    return false;
  if (static_cast<std::int64_t>(size) < rule.at_least) return false;
  if (rule.path[0] == '*' ? !ends_with(path, rule.path + 1) : !std::strstr(path, rule.path))
    return false;
  const std::int64_t number = rule.seen.fetch_add(1) + 1;
  if (number < rule.first || number > rule.last) return false;
  rule.fired.fetch_add(1);
  return true;
}

// --- bytes that a failed sync loses --------------------------------------------------------------
// Linux marks the pages clean after a failed sync: the next sync succeeds, and the loss appears
// when the page leaves the cache. `lose` makes this happen at once: bytes written since the last
// good sync get their earlier values back.

struct Undo {
  Undo* next;
  dev_t device;
  ino_t inode;
  off_t offset;
  std::size_t size;
  char* bytes() { return reinterpret_cast<char*>(this + 1); }
};
Undo* undo = nullptr;  // newest first
std::atomic_flag undo_taken;

/// One thread commits while another runs a checkpoint. The lock guards the list: a good sync
/// removes its entries before the next sync of the same file can fail and undo them.
class UndoTurn {
 public:
  UndoTurn() {
    while (undo_taken.test_and_set(std::memory_order_acquire)) syscall(SYS_sched_yield);
  }
  ~UndoTurn() { undo_taken.clear(std::memory_order_release); }
  UndoTurn(const UndoTurn&) = delete;
  UndoTurn& operator=(const UndoTurn&) = delete;
};

bool tracking() {
  return std::any_of(std::begin(control->rules), std::end(control->rules), [](const Rule& rule) {
    return rule.armed.load(std::memory_order_acquire) != 0 && rule.action == lose;
  });
}

void before_write(int fd, std::size_t size, off_t offset) {
  struct stat status;
  if (!tracking() || fstat(fd, &status) != 0) return;
  auto* entry = static_cast<Undo*>(__libc_calloc(1, sizeof(Undo) + size));
  if (!entry) return;
  *entry = {nullptr, status.st_dev, status.st_ino, offset, size};
  syscall(SYS_pread64, fd, entry->bytes(), size, offset);  // bytes beyond the end stay zero
  const UndoTurn mine;
  entry->next = undo;
  undo = entry;
}

/// A sync of this file has ended: its written bytes are now safe, or lost.
void after_sync(int fd, bool lost) {
  struct stat status;
  const UndoTurn mine;
  if (!undo || fstat(fd, &status) != 0) return;
  for (Undo** place = &undo; *place;) {  // newest first, so that the oldest bytes win
    Undo* const entry = *place;
    if (entry->device != status.st_dev || entry->inode != status.st_ino) {
      place = &entry->next;
      continue;
    }
    if (lost) syscall(SYS_pwrite64, fd, entry->bytes(), entry->size, entry->offset);
    *place = entry->next;
    std::free(entry);
  }
}

/// Makes one call and applies the rules. `real(half)` makes the call, with half of its bytes if
/// asked.
template <class Real>
long faulty(Call call, const char* path, int fd, Real real) {
  if (!control) return real(false);
  control->counters[call][kind_of(path)].fetch_add(1, std::memory_order_relaxed);
  bool half = false, last = false;
  for (Rule& rule : control->rules) {
    if (!strikes(rule, call, path, SIZE_MAX / 2)) continue;
    switch (rule.action) {
      case delay:
        pause_for(rule.value);
        break;
      case hold:
        while (rule.armed.load(std::memory_order_acquire) != 0) pause_for(200);
        break;
      case lose:
        after_sync(fd, true);
        [[fallthrough]];
      case fail:
        errno = static_cast<int>(rule.value);
        return -1;
      case shorten:
        half = true;
        break;
      case kill_before:
        die();
      case tear:
        half = last = true;
        break;
      case kill_after:
        last = true;
        break;
    }
  }
  const long result = real(half);
  if (last) die();
  return result;
}

long sync(Call call, long number, int fd) {
  const long result = faulty(call, path_of(fd), fd, [=](bool) { return syscall(number, fd); });
  if (result == 0) after_sync(fd, false);
  return result;
}

bool no_memory(std::size_t size) {
  if (!control) return false;
  for (Rule& rule : control->rules) {
    if (!strikes(rule, alloc_, "", size)) continue;
    errno = ENOMEM;
    return true;
  }
  return false;
}

int open_at(int folder, const char* path, int flags, mode_t mode) {
  const int fd = static_cast<int>(faulty(
      open_, path, -1, [=](bool) { return syscall(SYS_openat, folder, path, flags, mode); }));
  remember_path(fd, path);
  return fd;
}

ssize_t write_at(int fd, const void* bytes, size_t size, off_t offset) {
  return faulty(write_, path_of(fd), fd, [=](bool half) {
    before_write(fd, size, offset);
    return syscall(SYS_pwrite64, fd, bytes, half ? (size + 1) / 2 : size, offset);
  });
}

void* map(void* where, size_t size, int protection, int flags, int fd, off_t offset) {
  const auto real = [=](bool) {
    return syscall(SYS_mmap, where, size, protection, flags, fd, offset);
  };
  // Allocations without a file belong to the allocator and to threads.
  return reinterpret_cast<void*>(fd < 0 ? real(false) : faulty(mmap_, path_of(fd), fd, real));
}

__attribute__((constructor)) void begin() {
  real_clock = reinterpret_cast<decltype(real_clock)>(dlsym(RTLD_NEXT, "clock_gettime"));
  const char* const file = std::getenv("FAULT_SHIM_CONTROL");
  if (!file) return;
  const long fd = syscall(SYS_openat, AT_FDCWD, file, O_RDWR | O_CLOEXEC);
  const long mapped = fd < 0 ? -1
                             : syscall(SYS_mmap, nullptr, sizeof(Control), PROT_READ | PROT_WRITE,
                                       MAP_SHARED, fd, 0L);
  // A harness that asked for faults must not run without them.
  if (mapped == -1) std::abort();
  syscall(SYS_close, fd);
  control = reinterpret_cast<Control*>(mapped);
}

}  // namespace

// --- the calls --------------------------------------------------------------------------------

extern "C" {

int open(const char* path, int flags, ...) {
  va_list rest;
  va_start(rest, flags);
  const mode_t mode = flags & (O_CREAT | O_TMPFILE) ? va_arg(rest, mode_t) : 0;
  va_end(rest);
  return open_at(AT_FDCWD, path, flags, mode);
}
int open64(const char* path, int flags, ...) __attribute__((alias("open")));

int close(int fd) {
  if (fd >= 0 && fd < fds_max) paths[fd][0] = '\0';
  return static_cast<int>(syscall(SYS_close, fd));
}

ssize_t pread(int fd, void* bytes, size_t size, off_t offset) {
  return faulty(read_, path_of(fd), fd, [=](bool half) {
    return syscall(SYS_pread64, fd, bytes, half ? (size + 1) / 2 : size, offset);
  });
}
ssize_t pread64(int fd, void* bytes, size_t size, off_t offset) {
  return pread(fd, bytes, size, offset);
}

ssize_t pwrite(int fd, const void* bytes, size_t size, off_t offset) {
  return write_at(fd, bytes, size, offset);
}
ssize_t pwrite64(int fd, const void* bytes, size_t size, off_t offset) {
  return write_at(fd, bytes, size, offset);
}

ssize_t write(int fd, const void* bytes, size_t size) {
  return faulty(write_, path_of(fd), fd, [=](bool half) {
    return syscall(SYS_write, fd, bytes, half ? (size + 1) / 2 : size);
  });
}

int fsync(int fd) { return static_cast<int>(sync(fsync_, SYS_fsync, fd)); }
int fdatasync(int fd) { return static_cast<int>(sync(fdatasync_, SYS_fdatasync, fd)); }

int ftruncate(int fd, off_t size) noexcept {
  return static_cast<int>(
      faulty(truncate_, path_of(fd), fd, [=](bool) { return syscall(SYS_ftruncate, fd, size); }));
}
int ftruncate64(int fd, off_t size) noexcept { return ftruncate(fd, size); }

void* mmap(void* where, size_t size, int protection, int flags, int fd, off_t offset) noexcept {
  return map(where, size, protection, flags, fd, offset);
}
void* mmap64(void* where, size_t size, int protection, int flags, int fd, off_t offset) noexcept {
  return map(where, size, protection, flags, fd, offset);
}

int unlink(const char* path) noexcept {
  return static_cast<int>(
      faulty(unlink_, path, -1, [=](bool) { return syscall(SYS_unlink, path); }));
}

ssize_t sendmsg(int fd, const msghdr* message, int flags) {
  return faulty(send_, "", fd, [=](bool) { return syscall(SYS_sendmsg, fd, message, flags); });
}
ssize_t send(int fd, const void* bytes, size_t size, int flags) {
  return faulty(send_, "", fd, [=](bool half) {
    return syscall(SYS_sendto, fd, bytes, half ? (size + 1) / 2 : size, flags, nullptr, 0L);
  });
}

void* malloc(size_t size) noexcept { return no_memory(size) ? nullptr : __libc_malloc(size); }
void* calloc(size_t count, size_t size) noexcept {
  return no_memory(count * size) ? nullptr : __libc_calloc(count, size);
}
void* realloc(void* old, size_t size) noexcept {
  return no_memory(size) ? nullptr : __libc_realloc(old, size);
}

/// Only the wall clock may jump; the monotonic clock stays correct.
int clock_gettime(clockid_t clock, timespec* out) noexcept {
  const int result = real_clock ? real_clock(clock, out)
                                : static_cast<int>(syscall(SYS_clock_gettime, clock, out));
  if (result == 0 && control && (clock == CLOCK_REALTIME || clock == CLOCK_REALTIME_COARSE)) {
    const std::int64_t offset = control->clock_offset_ms.load(std::memory_order_relaxed);
    const std::int64_t nanoseconds = out->tv_nsec + offset % 1000 * 1'000'000 + 1'000'000'000;
    out->tv_sec += offset / 1000 + nanoseconds / 1'000'000'000 - 1;
    out->tv_nsec = nanoseconds % 1'000'000'000;
  }
  return result;
}
int gettimeofday(timeval* out, void*) noexcept {
  timespec now;
  const int result = clock_gettime(CLOCK_REALTIME, &now);
  *out = {now.tv_sec, now.tv_nsec / 1000};
  return result;
}
time_t time(time_t* out) noexcept {
  timespec now;
  clock_gettime(CLOCK_REALTIME, &now);
  if (out) *out = now.tv_sec;
  return now.tv_sec;
}

}  // extern "C"
