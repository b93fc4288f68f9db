// Examines the data folder's disk: how long a sync takes, and how much is free.
#include <fcntl.h>
#include <linux/magic.h>
#include <sys/statfs.h>
#include <sys/statvfs.h>
#include <unistd.h>

#include <algorithm>
#include <array>
#include <cerrno>
#include <cstdio>
#include <cstdlib>
#include <cstring>

#include "base/clock.hpp"
#include "base/files.hpp"
#include "config/values.hpp"
#include "server/app/doctor/diagnosis.hpp"
#include "server/app/start_check.hpp"
#include "server/relay/free_space.hpp"

namespace verbatim::app {

namespace {

constexpr int syncs = 40;
constexpr std::int64_t syncs_us_max = 5'000'000;
constexpr std::int64_t slow_us = 20'000;  ///< each relayed text waits that long: people notice
constexpr unsigned long files_min = 1000;

/// Microseconds of each write with its sync, sorted; empty, with errno, if one failed.
std::vector<std::int64_t> sync_times(const std::filesystem::path& folder) {
  const int file = open_nameless_file(folder);
  if (file < 0) return {};
  std::vector<std::int64_t> times;
  const std::array<char, 4096> page{};
  const std::int64_t begin = monotonic_us();
  for (int i = 0; i < syncs && monotonic_us() - begin < syncs_us_max; ++i) {
    const std::int64_t before = monotonic_us();
    const auto at = static_cast<off_t>(static_cast<std::size_t>(i) * page.size());
    if (::pwrite(file, page.data(), page.size(), at) != static_cast<ssize_t>(page.size()) ||
        ::fdatasync(file) != 0) {
      times.clear();
      break;
    }
    times.push_back(monotonic_us() - before);
  }
  const int failed = errno;
  ::close(file);
  errno = failed;
  std::sort(times.begin(), times.end());
  return times;
}

std::string in_ms(std::int64_t us) {
  char text[32];
  std::snprintf(text, sizeof text, "%.2f ms", static_cast<double>(us) / 1000);
  return text;
}

bool is_in_memory(const std::filesystem::path& folder) {
  struct statfs disk {};
  return ::statfs(folder.c_str(), &disk) == 0 &&
         (disk.f_type == TMPFS_MAGIC || disk.f_type == RAMFS_MAGIC);
}

void examine_syncs(const Examined& relay, const std::string& key,
                   const std::filesystem::path& folder, Diagnoses& found) {
  const std::string subject = key + " " + folder.string();
  const std::vector<std::int64_t> times = sync_times(folder);
  if (times.empty()) {
    found.push_back({"disk", Health::bad, subject + ": cannot be written: " + strerror(errno),
                     "Make it writable for the relay's user; on a full disk free some space."});
    return;
  }
  const std::int64_t median = times[times.size() / 2];
  const std::string what = subject + ": a sync takes " + in_ms(median) + ", at most " +
                           in_ms(times.back()) + " (" + std::to_string(times.size()) + " tried)";
  const bool waits = relay.settings.journal.durability == config::Durability::power;
  if (is_in_memory(folder)) {
    found.push_back({"disk", Health::warning,
                     subject + ": is in memory (tmpfs): a restart of the machine loses it all",
                     "Set " + key + " to a directory on a disk."});
  } else if (waits && median > relay.settings.journal.slow_commit.count() * 1000) {
    found.push_back({"disk", Health::bad, what,
                     "Conversations stall: use a local SSD. On this disk only journal.durability "
                     "= \"process\" is fast, and a power cut can then lose the last words."});
  } else if (waits && median > slow_us) {
    found.push_back({"disk", Health::warning, what,
                     "Every text waits for a sync: use a local SSD, not a network disk."});
  } else {
    found.push_back({"disk", Health::good, what, ""});
  }
}

std::string shown(std::uintmax_t bytes) {
  constexpr std::uintmax_t unit = 1024 * 1024;
  return config::print_size(bytes < unit ? bytes : bytes / unit * unit);
}

void examine_free(const Examined& examined, const std::string& key,
                  const std::filesystem::path& folder, Diagnoses& found) {
  struct statvfs disk {};
  if (::statvfs(folder.c_str(), &disk) != 0) return;
  const auto block = static_cast<std::uintmax_t>(disk.f_frsize);
  const std::uintmax_t free = disk.f_bavail * block;
  const std::uintmax_t all = disk.f_blocks * block;
  const auto limits = relay::free_space_limits(examined.settings.storage, all);
  const std::string what =
      key + " " + folder.string() + ": " + shown(free) + " of " + shown(all) + " are free";
  if (free < limits.least)
    found.push_back({"space", Health::bad, what + ": no session is admitted",
                     "Free some space, shorten storage.retention, or use a larger disk."});
  else if (free < limits.little)
    found.push_back({"space", Health::warning, what,
                     "Free some space before the relay has to "
                     "refuse sessions (storage.free_space_min)."});
  else
    found.push_back({"space", Health::good, what, ""});
  if (disk.f_files > 0 && disk.f_favail < files_min)
    found.push_back(
        {"space", Health::warning,
         key + ": the disk can have only " + std::to_string(disk.f_favail) + " more files",
         "Delete files, or use a disk with more inodes."});
}

using Examine = void (*)(const Examined&, const std::string&, const std::filesystem::path&,
                         Diagnoses&);

void for_each_folder(const Examined& relay, Diagnoses& found, Examine examine) {
  const std::filesystem::path& fallback = relay.settings.storage.fallback_dir;
  examine(relay, "server.data_dir", existing_part(relay.settings.server.data_dir), found);
  if (!fallback.empty()) examine(relay, "storage.fallback_dir", existing_part(fallback), found);
}

}  // namespace

void examine_disk(const Examined& relay, Diagnoses& found) {
  for_each_folder(relay, found, examine_syncs);
}

void examine_space(const Examined& relay, Diagnoses& found) {
  for_each_folder(relay, found, examine_free);
}

}  // namespace verbatim::app
