// Examines the machine: its clock, and the limits of files and memory.
#include <sys/resource.h>
#include <sys/timex.h>
#include <unistd.h>

#include <algorithm>
#include <ctime>
#include <filesystem>
#include <fstream>
#include <sstream>

#include "base/clock.hpp"
#include "config/values.hpp"
#include "server/app/doctor/diagnosis.hpp"
#include "server/net/descriptors.hpp"

namespace verbatim::app {

namespace {

namespace fs = std::filesystem;

/// Before this the program did not exist: 2026-01-01.
constexpr TimeMs earliest = 1'767'225'600'000;
constexpr std::int64_t future_s = 60;
/// For the journal, its readers, webhooks and name lookups.
constexpr std::uint64_t own_files = 64;

std::string first_line(const fs::path& file) {
  std::ifstream stream(file);
  std::string line;
  std::getline(stream, line);
  return line;
}

/// Seconds by which the newest file is ahead of the clock; 0: none is.
std::int64_t seconds_ahead(const fs::path& folder) {
  std::error_code ec;
  std::int64_t most = 0;
  const auto present = fs::file_time_type::clock::now();
  for (const fs::directory_entry& entry : fs::directory_iterator(folder, ec)) {
    const auto written = entry.last_write_time(ec);
    if (ec) continue;
    most = std::max<std::int64_t>(
        most, std::chrono::duration_cast<std::chrono::seconds>(written - present).count());
  }
  return most;
}

/// The limit of the relay's process if it runs. A start raises its own to the hard limit.
std::uint64_t file_limit(const Examined& relay) {
  rlimit limit{};
  ::getrlimit(RLIMIT_NOFILE, &limit);
  if (!relay.relay) return limit.rlim_max;
  std::ifstream limits("/proc/" + std::to_string(*relay.relay) + "/limits");
  constexpr std::string_view name = "Max open files";
  for (std::string line; std::getline(limits, line);) {
    if (!line.starts_with(name)) continue;
    std::istringstream numbers(line.substr(name.size()));
    std::uint64_t soft = 0;
    if (numbers >> soft) return soft;
  }
  return limit.rlim_max;
}

/// The smallest memory limit of the control groups that the process is in; 0: none.
std::uintmax_t group_limit(const std::string& process) {
  constexpr std::uintmax_t unlimited = std::uintmax_t{1} << 60;
  std::uintmax_t least = unlimited;
  const auto look = [&](const fs::path& file) {
    std::uintmax_t bytes = 0;
    std::istringstream text(first_line(file));
    if (text >> bytes) least = std::min(least, bytes);
  };
  std::ifstream groups("/proc/" + process + "/cgroup");
  for (std::string line; std::getline(groups, line);) {
    const bool unified = line.starts_with("0::/");
    const std::size_t old = line.find(":memory:/");
    if (!unified && old == std::string::npos) continue;
    const fs::path root = unified ? "/sys/fs/cgroup" : "/sys/fs/cgroup/memory";
    const char* const file = unified ? "memory.max" : "memory.limit_in_bytes";
    fs::path group = line.substr(unified ? 4 : old + 9);
    // The limits of all groups above count too.
    for (; !group.empty(); group = group.parent_path()) look(root / group / file);
    look(root / file);
  }
  return least == unlimited ? 0 : least;
}

std::uintmax_t machine_memory() {
  return static_cast<std::uintmax_t>(::sysconf(_SC_PHYS_PAGES)) *
         static_cast<std::uintmax_t>(::sysconf(_SC_PAGESIZE));
}

std::string in_mib(std::uintmax_t bytes) { return std::to_string(bytes / (1024 * 1024)) + " MiB"; }

void examine_files_limit(const Examined& relay, Diagnoses& found) {
  const std::uint64_t limit = file_limit(relay);
  const std::uint64_t wanted =
      relay.settings.server.connections_max +
      net::Descriptors::of_a_conversation * relay.settings.session.sessions_max + own_files;
  if (limit >= wanted) {
    found.push_back({"limits", Health::good,
                     std::to_string(limit) + " open files are allowed, " + std::to_string(wanted) +
                         " are the most that the settings need",
                     ""});
    return;
  }
  found.push_back(
      {"limits", Health::warning,
       "only " + std::to_string(limit) +
           " open files are allowed; server.connections_max and "
           "session.sessions_max need " +
           std::to_string(wanted) +
           ", and beyond the limit the relay "
           "answers 503",
       "Raise the limit (LimitNOFILE= in the unit, ulimit -n, --ulimit), or lower the two keys."});
}

void examine_memory(const Examined& relay, Diagnoses& found) {
  const config::Settings& settings = relay.settings;
  const std::uintmax_t group =
      group_limit(relay.relay ? std::to_string(*relay.relay) : std::string("self"));
  const std::uintmax_t all = machine_memory();
  const std::uintmax_t limit = group == 0 ? all : std::min(group, all);
  const std::uintmax_t pools = settings.server.large_message_bytes +
                               settings.server.bodies_bytes_max +
                               settings.server.answers_bytes_max + settings.journal.queue_bytes_max;
  const std::string what = std::string("the ") + (limit < all ? "control group" : "machine") +
                           " has " + in_mib(limit) + " of memory, the relay's shared buffers " +
                           "may grow to " + in_mib(pools);
  if (pools > limit / 4 * 3)
    found.push_back({"limits", Health::warning, what,
                     "The kernel may kill the relay: raise the memory limit, or lower "
                     "server.large_message_bytes and server.answers_bytes_max."});
  else
    found.push_back({"limits", Health::good, what, ""});
}

}  // namespace

void examine_clock(const Examined& relay, Diagnoses& found) {
  constexpr const char* advice = "Start a time service: systemd-timesyncd or chrony.";
  const TimeMs wall = now().wall;
  if (wall < earliest) {
    found.push_back({"clock", Health::bad, "the clock says " + iso_time(wall), advice});
    return;
  }
  const std::int64_t ahead = seconds_ahead(relay.settings.server.data_dir);
  if (ahead > future_s) {
    found.push_back({"clock", Health::bad,
                     "files of the data directory are " + std::to_string(ahead) +
                         " s ahead of the clock: it was set back",
                     std::string(advice) + " Tokens expire by the clock."});
    return;
  }
  timex state{};
  if (::adjtimex(&state) >= 0 && (state.status & STA_UNSYNC) != 0) {
    found.push_back({"clock", Health::warning,
                     "the clock says " + iso_time(wall) + ", but no time service keeps it right",
                     advice});
    return;
  }
  found.push_back({"clock", Health::good, "the clock says " + iso_time(wall), ""});
}

void examine_limits(const Examined& relay, Diagnoses& found) {
  examine_files_limit(relay, found);
  examine_memory(relay, found);
}

}  // namespace verbatim::app
