#include "server/app/progress.hpp"

#include <unistd.h>

#include <algorithm>
#include <chrono>
#include <fstream>
#include <iostream>

#include "base/clock.hpp"

namespace verbatim::app {

namespace {

using std::chrono::milliseconds;

constexpr milliseconds between_lines{200};
/// Below this share of the work, an estimate would change too much from line to line.
constexpr std::uintmax_t percent_to_estimate = 2;
/// The total is an estimate: the last step is not shown as done before it is.
constexpr std::uintmax_t percent_max = 99;

/// Bytes that this process has read so far, from any file; 0 if the kernel does not say.
std::uintmax_t bytes_read() {
  std::ifstream counters("/proc/self/io");
  std::string name;
  std::uintmax_t value = 0;
  return counters >> name >> value && name == "rchar:" ? value : 0;
}

}  // namespace

std::string progress_line(const std::string& what, std::uintmax_t done, std::uintmax_t total,
                          std::int64_t elapsed_ms) {
  const std::string so_far = std::to_string(elapsed_ms / 1000) + " s";
  if (total == 0) return what + ": " + so_far;
  const std::uintmax_t percent =
      std::min(percent_max, done / std::max<std::uintmax_t>(total / 100, 1));
  const std::string share = what + ": " + std::to_string(percent) + " %, ";
  if (percent < percent_to_estimate) return share + so_far;
  const auto left =
      elapsed_ms * static_cast<std::int64_t>(100 - percent) / static_cast<std::int64_t>(percent);
  return share + "about " + std::to_string(left / 1000 + 1) + " s left";
}

Progress::Progress(std::string what, std::uintmax_t bytes_to_read)
    : what_(std::move(what)), total_(bytes_to_read), before_(bytes_read()) {
  if (::isatty(STDERR_FILENO) == 1) thread_ = std::thread([this] { run(); });
}

Progress::~Progress() {
  if (!thread_.joinable()) return;
  {
    const std::lock_guard lock(mutex_);
    over_ = true;
  }
  changed_.notify_all();
  thread_.join();
}

void Progress::run() {
  const std::int64_t begin_us = monotonic_us();
  std::unique_lock lock(mutex_);
  const auto over = [this] { return over_; };
  do {
    const std::int64_t elapsed_ms = (monotonic_us() - begin_us) / 1000;
    std::cerr << "\r\033[K" << progress_line(what_, bytes_read() - before_, total_, elapsed_ms)
              << std::flush;
  } while (!changed_.wait_for(lock, between_lines, over));
  std::cerr << "\r\033[K" << std::flush;
}

std::uintmax_t store_size(const std::filesystem::path& database) {
  std::uintmax_t all = 0;
  for (const char* const end : {"", "-wal"}) {
    std::error_code unknown;
    const auto size = std::filesystem::file_size(database.string() + end, unknown);
    if (!unknown) all += size;
  }
  return all;
}

}  // namespace verbatim::app
