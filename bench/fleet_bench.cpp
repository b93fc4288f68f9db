// Measures the shipping to a fleet's database: the lag, the CPU time of an event, and with `--ship
// before` the time until text may be sent on. Each run also prints the wait for the local commit,
// as a control. Built with -DVERBATIM_BENCH=ON; bench/fleet.mjs runs it with a PostgreSQL of its
// own: fleet_bench --url URL --dir FOLDER [--rate EVENTS/S] [--seconds N] [--ship behind|before]
// [--linger MS] [--no-replica] [--backlog]
//
// `--backlog`: writes all events first, and then measures how fast they are shipped.
#include <sys/resource.h>

#include <CLI/CLI.hpp>
#include <algorithm>
#include <atomic>
#include <chrono>
#include <cstdio>
#include <deque>
#include <future>
#include <mutex>
#include <thread>

#include "server/fleet/shipping/shipper.hpp"
#include "storage/sqlite_store/sqlite_store.hpp"

namespace {

using namespace verbatim;
using Clock = std::chrono::steady_clock;

struct Wanted {
  std::string url;
  std::string folder;
  std::string ship = "behind";
  int rate = 1000;
  int seconds = 10;
  int linger_ms = 20;
  int sessions = 100;
  bool backlog = false;
  bool no_replica = false;
};

/// Times from the append of an event until a watermark covers it.
class Waits {
 public:
  void appended(transcript::Sequence sequence) {
    const std::lock_guard lock(mutex_);
    open_.emplace_back(sequence, Clock::now());
  }
  void covered(transcript::Sequence upto) {
    const auto now = Clock::now();
    const std::lock_guard lock(mutex_);
    for (; !open_.empty() && open_.front().first <= upto; open_.pop_front())
      ms_.push_back(std::chrono::duration<double, std::milli>(now - open_.front().second).count());
  }
  bool all_covered() {
    const std::lock_guard lock(mutex_);
    return open_.empty();
  }
  void print(const char* what) {
    const std::lock_guard lock(mutex_);
    if (ms_.empty()) return;
    std::sort(ms_.begin(), ms_.end());
    const auto at = [this](double share) {
      return ms_[static_cast<std::size_t>(share * static_cast<double>(ms_.size() - 1))];
    };
    std::printf("%-12s p50 %8.2f ms  p99 %8.2f ms  max %8.2f ms  of %zu events\n", what, at(0.5),
                at(0.99), ms_.back(), ms_.size());
  }

 private:
  std::mutex mutex_;
  std::deque<std::pair<transcript::Sequence, Clock::time_point>> open_;
  std::vector<double> ms_;
};

class Listener final : public store::JournalListener {
 public:
  explicit Listener(Waits& waits) : waits_(waits) {}
  void on_durable(transcript::Sequence upto) override { waits_.covered(upto); }
  void on_failed(store::Failure, const std::string& why) override {
    std::fprintf(stderr, "the journal has failed: %s\n", why.c_str());
    std::_Exit(1);
  }

 private:
  Waits& waits_;
};

transcript::Event delta(int number) {
  transcript::TextDelta body;
  body.item_id = "item_C9y0aVsWBcxQ1v2eDuG7A";
  body.response_id = "resp_C9y0aKd1hSzVqfQnPbrYt";
  body.text = Text::from_wtf8(" word" + std::to_string(number % 1000));
  return {"event_C9y0a" + std::to_string(1'000'000'000 + number), body};
}

/// Seconds of CPU that the process has used.
double cpu_seconds() {
  rusage used{};
  ::getrusage(RUSAGE_SELF, &used);
  const auto seconds = [](const timeval& time) {
    return static_cast<double>(time.tv_sec) + static_cast<double>(time.tv_usec) / 1e6;
  };
  return seconds(used.ru_utime) + seconds(used.ru_stime);
}

std::vector<transcript::AttemptId> open_attempts(store::Store& store, int count) {
  std::vector<transcript::AttemptId> attempts;
  for (int number = 0; number < count; ++number) {
    store::AttemptSpec spec;
    spec.session_id = "bench-" + std::to_string(::getpid()) + "-" + std::to_string(number);
    spec.user = "bench";
    spec.model = "bench";
    spec.now = 1;
    std::promise<transcript::AttemptId> opened;
    store.open_attempt(spec, [&](store::StoreResult<store::OpenedAttempt> attempt) {
      opened.set_value(attempt ? attempt->attempt : 0);
    });
    attempts.push_back(opened.get_future().get());
  }
  return attempts;
}

config::Fleet settings_of(const Wanted& wanted) {
  config::Fleet settings = config::Settings().fleet;
  settings.url = Secret(wanted.url);
  settings.linger = std::chrono::milliseconds(wanted.linger_ms);
  settings.ship = wanted.ship == "before" ? config::Ship::before : config::Ship::behind;
  settings.require_replica = !wanted.no_replica;
  return settings;
}

/// Appends the events at the rate, in groups as they come from sockets.
void append(store::Store& store, const std::vector<transcript::AttemptId>& attempts,
            const Wanted& wanted, std::initializer_list<Waits*> waits) {
  constexpr int ticks = 1000;  // a second
  const int count = wanted.rate * wanted.seconds;
  int sent = 0;
  const auto begin = Clock::now();
  for (int at = 0; sent < count; ++at) {
    if (!wanted.backlog) std::this_thread::sleep_until(begin + at * std::chrono::milliseconds(1));
    const int until = wanted.backlog ? count : (at + 1) * wanted.rate / ticks;
    for (; sent < std::min(until, count); ++sent) {
      const auto attempt = attempts[static_cast<std::size_t>(sent) % attempts.size()];
      transcript::Taken taken;
      while ((taken = store.journal().append(attempt, 1, delta(sent))).sequence == 0)
        std::this_thread::sleep_for(std::chrono::milliseconds(1));  // its queue is full
      for (Waits* one : waits) one->appended(taken.sequence);
    }
  }
}

int measure(const Wanted& wanted) {
  Waits local;
  Waits shipped;
  Listener listener(local);
  Log log({LogLevel::warn, LogFormat::text, 10});
  sqlite_store::SqliteStoreOptions options;
  options.journal.file = wanted.folder + "/bench.db";
  options.journal.track_changes = true;
  options.search = false;
  options.spill_folder = wanted.folder;
  sqlite_store::SqliteStore store(std::move(options), listener, log);
  const auto attempts = open_attempts(store, wanted.sessions);
  shipping::Shipper* running = nullptr;
  shipping::Shipper shipper(
      {settings_of(wanted), "bench", std::chrono::seconds(60), std::chrono::seconds(60),
       [&store] { return store.journal().durable(); }, [] { return true; },
       [&] { shipped.covered(running->state().confirmed()); }, [] {}, log},
      store.open_shipping());
  running = &shipper;
  if (wanted.backlog) append(store, attempts, wanted, {&local, &shipped});
  while (wanted.backlog && !local.all_covered())
    std::this_thread::sleep_for(std::chrono::milliseconds(10));
  const double cpu = cpu_seconds();
  const auto begin = Clock::now();
  shipper.start();
  while (!shipper.state().figures().connected)
    std::this_thread::sleep_for(std::chrono::milliseconds(1));
  if (!wanted.backlog) append(store, attempts, wanted, {&local, &shipped});
  while (!shipped.all_covered()) std::this_thread::sleep_for(std::chrono::milliseconds(1));
  const double took = std::chrono::duration<double>(Clock::now() - begin).count();
  const double events = static_cast<double>(wanted.rate) * wanted.seconds;
  local.print("local");
  shipped.print(wanted.backlog ? "backlog" : wanted.ship.c_str());
  std::printf("process      %.1f us of CPU an event (journal, bench and shipper), %.0f events/s\n",
              (cpu_seconds() - cpu) * 1e6 / events, events / took);
  shipper.finish(std::chrono::seconds(10));
  store.shut_down(std::chrono::seconds(10));
  return 0;
}

}  // namespace

int main(int count, char** arguments) {
  Wanted wanted;
  CLI::App app("measures the shipping to a fleet's database");
  app.add_option("--url", wanted.url)->required();
  app.add_option("--dir", wanted.folder)->required();
  app.add_option("--ship", wanted.ship);
  app.add_option("--rate", wanted.rate);
  app.add_option("--seconds", wanted.seconds);
  app.add_option("--linger", wanted.linger_ms);
  app.add_option("--sessions", wanted.sessions);
  app.add_flag("--backlog", wanted.backlog);
  app.add_flag("--no-replica", wanted.no_replica);
  CLI11_PARSE(app, count, arguments);
  return measure(wanted);
}
