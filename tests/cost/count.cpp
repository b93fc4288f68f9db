// Counts the shipped program's system calls and allocations: a library that LD_PRELOAD puts between
// it and libc. The counts are in a file (VERBATIM_COUNTS) that a test maps and reads while the
// program runs; counts.mjs is the reader.
//
// Any thread, any time; no locks. Without the file it only makes the calls.
#include <dlfcn.h>
#include <fcntl.h>
#include <sys/epoll.h>
#include <sys/mman.h>
#include <sys/socket.h>
#include <unistd.h>

#include <array>
#include <atomic>
#include <cstdint>
#include <cstdlib>

extern "C" {
void* __libc_malloc(size_t);
void* __libc_calloc(size_t, size_t);
void* __libc_realloc(void*, size_t);
void* __libc_memalign(size_t, size_t);
}

namespace {

// Same as in counts.mjs.
enum Count : unsigned {
  allocations,
  allocated_bytes,
  receives,
  sends,
  epoll_waits,
  epoll_changes,
  syncs,
  file_writes,
  file_bytes,
  counts
};
using Counts = std::array<std::atomic<std::uint64_t>, counts>;

Counts nowhere;
Counts* mapped = &nowhere;

__attribute__((constructor)) void map_counts() {
  const char* const file = std::getenv("VERBATIM_COUNTS");
  if (file == nullptr) return;
  const int opened = ::open(file, O_RDWR | O_CLOEXEC);
  if (opened < 0) return;
  void* const at = ::mmap(nullptr, sizeof(Counts), PROT_READ | PROT_WRITE, MAP_SHARED, opened, 0);
  ::close(opened);
  if (at != MAP_FAILED) mapped = static_cast<Counts*>(at);
}

void add(Count which, std::uint64_t many = 1) {
  (*mapped)[which].fetch_add(many, std::memory_order_relaxed);
}

void allocated(std::size_t bytes) {
  add(allocations);
  add(allocated_bytes, bytes);
}

template <class Function>
Function* next(const char* name) {
  return reinterpret_cast<Function*>(::dlsym(RTLD_NEXT, name));
}

}  // namespace

extern "C" {

void* malloc(size_t size) {
  allocated(size);
  return __libc_malloc(size);
}

void* calloc(size_t count, size_t size) {
  allocated(count * size);
  return __libc_calloc(count, size);
}

void* realloc(void* old, size_t size) {
  allocated(size);
  return __libc_realloc(old, size);
}

void* aligned_alloc(size_t alignment, size_t size) {
  allocated(size);
  return __libc_memalign(alignment, size);
}

ssize_t recv(int fd, void* into, size_t size, int flags) {
  static const auto real = next<decltype(recv)>("recv");
  add(receives);
  return real(fd, into, size, flags);
}

ssize_t send(int fd, const void* from, size_t size, int flags) {
  static const auto real = next<decltype(send)>("send");
  add(sends);
  return real(fd, from, size, flags);
}

int epoll_wait(int fd, epoll_event* events, int most, int timeout) {
  static const auto real = next<decltype(epoll_wait)>("epoll_wait");
  add(epoll_waits);
  return real(fd, events, most, timeout);
}

int epoll_ctl(int fd, int operation, int of, epoll_event* event) noexcept {
  static const auto real = next<decltype(epoll_ctl)>("epoll_ctl");
  add(epoll_changes);
  return real(fd, operation, of, event);
}

int fdatasync(int fd) {
  static const auto real = next<decltype(fdatasync)>("fdatasync");
  add(syncs);
  return real(fd);
}

ssize_t pwrite64(int fd, const void* from, size_t size, off64_t at) {
  static const auto real = next<decltype(pwrite64)>("pwrite64");
  add(file_writes);
  add(file_bytes, size);
  return real(fd, from, size, at);
}

}  // extern "C"
