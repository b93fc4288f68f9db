// A descriptor that one thread makes readable and another one polls. Any thread.
#pragma once

#include <sys/eventfd.h>
#include <unistd.h>

#include <cerrno>
#include <cstdint>
#include <system_error>

namespace verbatim {

class EventFd {
 public:
  /// Throws std::system_error if no descriptor is free.
  EventFd() : descriptor_(::eventfd(0, EFD_CLOEXEC | EFD_NONBLOCK)) {
    if (descriptor_ < 0)
      throw std::system_error(errno, std::generic_category(), "no descriptor is free");
  }
  ~EventFd() { ::close(descriptor_); }
  EventFd(const EventFd&) = delete;
  EventFd& operator=(const EventFd&) = delete;

  /// Readable from the first notify() after the last reset() on.
  int fd() const { return descriptor_; }
  void notify() {
    const std::uint64_t one = 1;
    // EAGAIN: the count is at its maximum, so it is readable.
    [[maybe_unused]] const auto written = ::write(descriptor_, &one, sizeof one);
  }
  void reset() {
    std::uint64_t count = 0;
    // EAGAIN: it was not readable.
    [[maybe_unused]] const auto taken = ::read(descriptor_, &count, sizeof count);
  }

 private:
  const int descriptor_;
};

}  // namespace verbatim
