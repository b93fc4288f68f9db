// Measures how long a delta waits for its sync, the largest number of journal rows per second, and
// the bytes written per delta. For comparison, measures the disk alone. Built with
// -DVERBATIM_BENCH=ON. Run it on the disk to measure:
//   journal_bench FOLDER
#include <fcntl.h>
#include <unistd.h>

#include <algorithm>
#include <atomic>
#include <chrono>
#include <cstdio>
#include <filesystem>
#include <fstream>
#include <future>
#include <string>
#include <thread>
#include <vector>

#include "storage/journal/sqlite_journal.hpp"

using namespace verbatim;
using Clock = std::chrono::steady_clock;

namespace {

class Meter final : public store::JournalListener {
 public:
  void on_durable(transcript::Sequence up_to) override {
    const auto now = Clock::now();
    for (; next < submitted.size() && first + next <= up_to; ++next)
      waits.push_back(std::chrono::duration<double, std::milli>(now - submitted[next]).count());
    durable.store(up_to);
  }
  void on_failed(store::Failure, const std::string& message) override {
    std::fprintf(stderr, "%s\n", message.c_str());
    std::_Exit(1);
  }
  std::vector<Clock::time_point> submitted;  ///< by sequence; set before the writer gets the row
  std::vector<double> waits;
  transcript::Sequence first = 2;  ///< the attempt has sequence 1
  std::size_t next = 0;
  std::atomic<transcript::Sequence> durable{0};
};

transcript::Event delta(int number) {
  transcript::TextDelta body;
  body.item_id = "item_C9y0aVsWBcxQ1v2eDuG7A";
  body.response_id = "resp_C9y0aKd1hSzVqfQnPbrYt";
  body.text = Text::from_wtf8(" word" + std::to_string(number % 1000));
  return {"event_C9y0a" + std::to_string(1000000000 + number), body};
}

std::uint64_t bytes_written() {
  std::ifstream io("/proc/self/io");
  std::uint64_t value = 0;
  for (std::string key; io >> key >> value;)
    if (key == "write_bytes:") return value;
  return 0;
}

/// Deltas are submitted in small groups, as they arrive from sockets. Sleeping before each of
/// 10,000 deltas would use the CPU time that is measured, and a machine with a CPU quota would
/// stall.
constexpr int ticks_per_second = 1000;
constexpr auto tick = std::chrono::microseconds(1'000'000 / ticks_per_second);

/// `rate` 0: as fast as the queue accepts rows.
void measure(const std::filesystem::path& folder, int rate, int count) {
  const auto file = folder / "bench.db";
  for (const char* suffix : {"", "-wal", "-shm"}) std::filesystem::remove(file.string() + suffix);
  Meter meter;
  meter.submitted.resize(static_cast<std::size_t>(count));
  meter.waits.reserve(static_cast<std::size_t>(count));
  journal::SqliteJournal journal({.file = file, .queue_bytes_max = 4 << 20}, meter);
  std::promise<transcript::AttemptId> opened;
  journal.open_attempt({.session_id = "s", .user = "u", .model = "m", .now = 1},
                       [&](store::OpenedAttempt attempt, const store::StorageError*) {
                         opened.set_value(attempt.attempt);
                       });
  const auto attempt = opened.get_future().get();
  const auto written_before = bytes_written();
  const auto start = Clock::now();
  for (std::int64_t i = 0; i < count; ++i) {
    const transcript::Event event = delta(static_cast<int>(i));
    if (rate > 0) std::this_thread::sleep_until(start + tick * (i * ticks_per_second / rate));
    const auto at = static_cast<std::size_t>(i);
    do {
      meter.submitted[at] = Clock::now();
    } while (journal.append(attempt, i, event) == 0);
  }
  while (meter.durable < static_cast<transcript::Sequence>(count) + 1) std::this_thread::yield();
  const double seconds = std::chrono::duration<double>(Clock::now() - start).count();
  const double bytes = static_cast<double>(bytes_written() - written_before);
  std::sort(meter.waits.begin(), meter.waits.end());
  const auto percentile = [&](double p) {
    return meter.waits[static_cast<std::size_t>(p * static_cast<double>(meter.waits.size() - 1))];
  };
  const auto stats = journal.take_stats();
  std::printf(
      "%8s/s asked: %9.0f/s  wait ms p50 %.2f  p99 %.2f  p99.9 %.2f  max %.1f  "
      "rows/commit %.1f  bytes/delta %.0f\n",
      rate == 0 ? "all" : std::to_string(rate).c_str(), count / seconds, percentile(0.5),
      percentile(0.99), percentile(0.999), meter.waits.back(),
      static_cast<double>(stats.rows) / static_cast<double>(stats.commits), bytes / count);
}

/// The best result of the disk alone: repeatedly appends and syncs one record.
void measure_disk(const std::filesystem::path& folder, int count) {
  const auto file = folder / "bench.raw";
  const int opened = ::open(file.c_str(), O_CREAT | O_TRUNC | O_WRONLY | O_CLOEXEC, 0600);
  const std::string record(250, 'r');
  std::vector<double> waits;
  const auto start = Clock::now();
  for (int i = 0; i < count; ++i) {
    const auto begin = Clock::now();
    if (::write(opened, record.data(), record.size()) < 0 || ::fdatasync(opened) != 0) {
      std::perror(file.c_str());
      std::_Exit(1);
    }
    waits.push_back(std::chrono::duration<double, std::milli>(Clock::now() - begin).count());
  }
  const double seconds = std::chrono::duration<double>(Clock::now() - start).count();
  ::close(opened);
  std::filesystem::remove(file);
  std::sort(waits.begin(), waits.end());
  const auto percentile = [&](double p) {
    return waits[static_cast<std::size_t>(p * static_cast<double>(waits.size() - 1))];
  };
  std::printf("the disk alone: %9.0f/s  sync ms p50 %.2f  p99 %.2f  p99.9 %.2f  max %.1f\n",
              count / seconds, percentile(0.5), percentile(0.99), percentile(0.999), waits.back());
}

}  // namespace

int main(int argc, char** argv) {
  if (argc != 2) {
    std::fprintf(stderr, "usage: journal_bench FOLDER\n");
    return 2;
  }
  measure_disk(argv[1], 20'000);
  measure(argv[1], 1000, 10'000);
  measure(argv[1], 10'000, 200'000);
  measure(argv[1], 0, 1'000'000);
  return 0;
}
