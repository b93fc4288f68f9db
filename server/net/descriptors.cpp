#include "server/net/descriptors.hpp"

#include <sys/resource.h>

#include <algorithm>
#include <filesystem>

namespace verbatim::net {

namespace {

/// Bounds of the reserve of free descriptors. It is an eighth of the limit within these bounds, but
/// at most half of the descriptors that the process does not use itself.
constexpr std::size_t reserve_min = 16;
constexpr std::size_t reserve_max = 256;

std::size_t open_now() {
  std::error_code unknown;
  std::size_t count = 0;
  for (std::filesystem::directory_iterator one("/proc/self/fd", unknown), end;
       !unknown && one != end; one.increment(unknown))
    ++count;
  return count;
}

}  // namespace

void Descriptors::begin() {
  rlimit limit{};
  if (::getrlimit(RLIMIT_NOFILE, &limit) != 0 || limit.rlim_cur == RLIM_INFINITY) return;
  share_out(static_cast<std::size_t>(limit.rlim_cur), open_now());
}

void Descriptors::share_out(std::size_t limit, std::size_t in_use) {
  limit_ = limit;
  const std::size_t left = limit > in_use ? limit - in_use : 0;
  const std::size_t reserve =
      std::min(std::clamp(limit / 8, reserve_min, reserve_max) + refusing_max, left / 2);
  capacity_ = left - reserve;
}

std::optional<Descriptors::Lease> Descriptors::take_from(std::atomic<std::size_t>& taken,
                                                         std::size_t capacity, std::size_t count) {
  std::size_t now = taken.load(std::memory_order_relaxed);
  do {
    if (count > capacity || now > capacity - count) return std::nullopt;
  } while (!taken.compare_exchange_weak(now, now + count, std::memory_order_relaxed));
  return Lease(&taken, count);
}

}  // namespace verbatim::net
