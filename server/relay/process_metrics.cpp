#include "server/relay/process_metrics.hpp"

#include <sys/resource.h>
#include <unistd.h>

#include <cstdint>
#include <filesystem>
#include <fstream>
#include <iterator>
#include <optional>
#include <sstream>
#include <string>
#include <system_error>

#include "server/relay/metric_family.hpp"

namespace verbatim::relay {

namespace {

/// The fields of /proc/self/stat that are of use; proc(5) numbers them.
struct Process {
  double cpu_seconds = 0;
  double threads = 0;
  double started_s = 0;  ///< Unix time
  double virtual_bytes = 0;
  double resident_bytes = 0;
};

std::string content_of(const char* file) {
  std::ifstream in(file);
  return {std::istreambuf_iterator<char>(in), {}};
}

/// Unix time of the machine's start, from the line `btime N` of /proc/stat.
double boot_time_s() {
  std::ifstream in("/proc/stat");
  for (std::string word; in >> word;) {
    double seconds = 0;
    if (word == "btime" && in >> seconds) return seconds;
  }
  return 0;
}

std::optional<Process> read_process() {
  const std::string stat = content_of("/proc/self/stat");
  // The name in brackets may hold spaces and brackets.
  const std::size_t name_end = stat.rfind(')');
  if (name_end == std::string::npos) return std::nullopt;
  std::istringstream fields(stat.substr(name_end + 1));
  constexpr int first = 3;  // the field behind the name
  constexpr int last = 24;
  double values[last + 1] = {};
  std::string state;
  if (!(fields >> state)) return std::nullopt;
  for (int number = first + 1; number <= last; ++number)
    if (!(fields >> values[number])) return std::nullopt;
  const auto ticks = static_cast<double>(::sysconf(_SC_CLK_TCK));
  Process process;
  process.cpu_seconds = (values[14] + values[15]) / ticks;
  process.threads = values[20];
  static const double boot_time = boot_time_s();
  process.started_s = boot_time + values[22] / ticks;
  process.virtual_bytes = values[23];
  process.resident_bytes = values[24] * static_cast<double>(::sysconf(_SC_PAGESIZE));
  return process;
}

std::optional<double> open_descriptors() {
  std::error_code failed;
  std::filesystem::directory_iterator at("/proc/self/fd", failed);
  double count = -1;  // the iterator's own
  for (; !failed && at != std::filesystem::directory_iterator(); at.increment(failed)) ++count;
  return failed ? std::nullopt : std::optional(count);
}

std::optional<double> limit_of(__rlimit_resource what) {
  rlimit limit{};
  if (::getrlimit(what, &limit) != 0) return std::nullopt;
  // As in the collectors of other programs: without a limit, the largest value.
  return static_cast<double>(limit.rlim_cur);
}

struct Readings {
  std::optional<Process> process = read_process();
  std::optional<double> descriptors = open_descriptors();
  std::optional<double> descriptors_max = limit_of(RLIMIT_NOFILE);
  std::optional<double> virtual_max = limit_of(RLIMIT_AS);
};

template <double Process::*member>
void read_member(const Readings& readings, MetricSamples& out) {
  if (readings.process) out.add((*readings.process).*member);
}

template <std::optional<double> Readings::*member>
void read_reading(const Readings& readings, MetricSamples& out) {
  if (readings.*member) out.add(*(readings.*member));
}

constexpr MetricFamily<Readings> process_rows[] = {
    {"verbatim_build_info", "Always 1; the label has the version of the program.",
     MetricType::gauge,
     [](const Readings&, MetricSamples& out) {
       out.add({{"version", VERBATIM_VERSION}}, 1);
     }},
    {"process_cpu_seconds_total", "Total user and system CPU time spent in seconds.",
     MetricType::counter, read_member<&Process::cpu_seconds>},
    {"process_start_time_seconds", "Start time of the process since unix epoch in seconds.",
     MetricType::gauge, read_member<&Process::started_s>},
    {"process_resident_memory_bytes", "Resident memory size in bytes.", MetricType::gauge,
     read_member<&Process::resident_bytes>},
    {"process_virtual_memory_bytes", "Virtual memory size in bytes.", MetricType::gauge,
     read_member<&Process::virtual_bytes>},
    {"process_virtual_memory_max_bytes", "Maximum amount of virtual memory available in bytes.",
     MetricType::gauge, read_reading<&Readings::virtual_max>},
    {"process_open_fds", "Number of open file descriptors.", MetricType::gauge,
     read_reading<&Readings::descriptors>},
    {"process_max_fds", "Maximum number of open file descriptors.", MetricType::gauge,
     read_reading<&Readings::descriptors_max>},
    {"process_threads", "Number of OS threads in the process.", MetricType::gauge,
     read_member<&Process::threads>},
};

}  // namespace

void add_process_metrics(MetricsPage& page) { page.add(process_rows, Readings()); }

}  // namespace verbatim::relay
