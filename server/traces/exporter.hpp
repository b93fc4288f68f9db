// Sends spans to the collector on a thread of its own: in batches, each until the collector accepts
// or refuses it, as OTLP says.
//
// A collector that is absent or slow fills the bounded queue, and further spans are dropped and
// counted. Nothing else waits for it.
#pragma once

#include <algorithm>
#include <atomic>
#include <chrono>
#include <condition_variable>
#include <cstdint>
#include <memory>
#include <mutex>
#include <string>
#include <thread>
#include <vector>

#include "base/backoff.hpp"
#include "base/log.hpp"
#include "config/settings.hpp"
#include "server/traces/collector.hpp"
#include "server/traces/span_queue.hpp"

namespace verbatim::traces {

/// Spans by outcome since the start, and those that wait now.
struct TraceGauges {
  std::uint64_t exported = 0;
  std::uint64_t rejected = 0;  ///< refused by the collector
  std::uint64_t failed = 0;    ///< given up after the last try
  std::uint64_t dropped = 0;   ///< the queue was full
  std::uint64_t waiting = 0;
};

class Exporter {
 public:
  /// The collector, and the way to it.
  struct Setup;
  /// Throws std::runtime_error if libcurl cannot be initialised.
  static std::shared_ptr<Setup> setup(const config::Trace& settings);

  /// `log` must outlive the object.
  explicit Exporter(Log& log);
  /// Sends what is left, within trace.shutdown_timeout.
  ~Exporter();
  /// Spans go there from now on, also those that wait; without a collector they are dropped. A
  /// request that is under way ends first. The first call starts the thread. On the control thread.
  void use(std::shared_ptr<Setup> setup);
  /// Limits the time that the destructor takes. On the control thread.
  void hurry(std::chrono::milliseconds most) { hurry_ = std::min(hurry_, most); }

  /// For spans, from any thread.
  SpanQueue& queue() { return queue_; }
  /// Any thread.
  TraceGauges gauges() const;

 private:
  using Clock = std::chrono::steady_clock;
  enum class Verdict { accepted, refused, try_again };

  void run();
  void take_setup();
  void work();
  void drop_all();
  bool batch_due() const;
  void make_batch();
  void judge(const Collector::Answer& answer);
  void accepted(const Collector::Answer& answer);
  void give_up(const std::string& why, std::atomic<std::uint64_t>& outcome);
  /// The batch in hand is done with.
  void finish();
  void flush();
  static Verdict verdict(const Collector::Answer& answer);

  Log& log_;
  SpanQueue queue_{0};
  std::chrono::milliseconds hurry_ = std::chrono::milliseconds::max();

  // The thread's own.
  std::shared_ptr<Setup> setup_;   ///< changed under the mutex: the destructor reads it
  std::vector<Span> spans_;        ///< taken from the queue, not in a batch yet
  Clock::time_point oldest_at_{};  ///< when the first of them was taken
  std::string body_;               ///< the batch in hand; empty: none
  std::size_t in_batch_ = 0;
  Backoff backoff_{BackoffOptions()};
  Clock::time_point retry_at_{};
  bool troubled_ = false;  ///< the last request failed, and the log says so

  std::atomic<std::uint64_t> exported_{0};
  std::atomic<std::uint64_t> rejected_{0};
  std::atomic<std::uint64_t> failed_{0};

  std::mutex mutex_;
  std::condition_variable wake_;
  bool stopping_ = false;
  std::shared_ptr<Setup> latest_;  ///< the thread takes it before its next request
  std::thread thread_;
};

}  // namespace verbatim::traces
