#include "server/traces/exporter.hpp"

#include <algorithm>
#include <exception>
#include <utility>

#include "base/clock.hpp"
#include "base/crypto.hpp"
#include "base/thread_name.hpp"
#include "config/otlp_headers.hpp"
#include "server/traces/otlp_json.hpp"
#include "server/traces/span_names.hpp"

namespace verbatim::traces {

namespace {

/// Interval of the search for new spans. Polling costs the conversations nothing.
constexpr auto queue_look_interval = std::chrono::milliseconds(100);

Attributes resource_of(const config::Trace& settings) {
  return {{names::service_name, settings.service_name},
          {names::service_version, VERBATIM_VERSION},
          {names::service_instance, new_id("relay_", now().wall)}};
}

BackoffOptions retries_of(const config::Trace& settings) {
  BackoffOptions options;
  options.attempts_max = static_cast<int>(settings.tries_max);
  options.pause_min_ms = settings.retry_min.count();
  options.pause_max_ms = settings.retry_max.count();
  options.seed = static_cast<std::uint32_t>(now().mono_ms);
  return options;
}

}  // namespace

Exporter::Exporter(const config::Trace& settings, Log& log)
    : batch_max_(settings.batch_max),
      batch_interval_(settings.batch_interval),
      shutdown_timeout_(settings.shutdown_timeout),
      retries_(retries_of(settings)),
      log_(log),
      resource_(resource_of(settings)),
      queue_(settings.queue_max),
      collector_({settings.otlp_url, config::parse_otlp_headers(settings.otlp_headers.reveal()),
                  settings.ca_file.string(), settings.timeout}),
      backoff_(retries_),
      thread_([this] {
        name_this_thread("traces");
        run();
      }) {}

Exporter::~Exporter() {
  {
    const std::lock_guard lock(mutex_);
    stopping_ = true;
  }
  collector_.stop(shutdown_timeout_);
  wake_.notify_all();
  thread_.join();
}

TraceGauges Exporter::gauges() const {
  return {exported_.load(), rejected_.load(), failed_.load(), queue_.dropped(), queue_.held()};
}

void Exporter::run() {
  std::unique_lock lock(mutex_);
  while (!stopping_) {
    wake_.wait_for(lock, queue_look_interval, [this] { return stopping_; });
    lock.unlock();
    try {
      work();
    } catch (const std::exception& error) {  // memory is short: the batch is made again later
      log_.error("trace.trouble", {{"why", error.what()}});
    }
    lock.lock();
  }
  lock.unlock();
  try {
    flush();
  } catch (const std::exception& error) {
    log_.error("trace.trouble", {{"why", error.what()}});
  }
}

void Exporter::work() {
  const bool empty = spans_.empty();
  queue_.take(spans_);
  if (empty && !spans_.empty()) oldest_at_ = Clock::now();
  while (true) {
    if (body_.empty() && batch_due()) make_batch();
    if (body_.empty() || Clock::now() < retry_at_) return;
    const std::size_t waiting = spans_.size();
    judge(collector_.post(body_));
    if (!body_.empty() || waiting < batch_max_) return;
  }
}

bool Exporter::batch_due() const {
  return spans_.size() >= batch_max_ ||
         (!spans_.empty() && Clock::now() - oldest_at_ >= batch_interval_);
}

void Exporter::make_batch() {
  const std::size_t count = std::min(spans_.size(), batch_max_);
  body_ = export_request(resource_, {spans_.data(), count});
  in_batch_ = count;
  spans_.erase(spans_.begin(), spans_.begin() + static_cast<std::ptrdiff_t>(count));
  oldest_at_ = Clock::now();
  backoff_.reset();
  retry_at_ = {};
}

Exporter::Verdict Exporter::verdict(const Collector::Answer& answer) {
  switch (answer.status) {
    case 0:  // no answer
    case 429:
    case 502:
    case 503:
    case 504:
      return Verdict::try_again;
    default:
      return answer.status >= 200 && answer.status < 300 ? Verdict::accepted : Verdict::refused;
  }
}

void Exporter::judge(const Collector::Answer& answer) {
  const std::string why =
      answer.status == 0 ? answer.error : "HTTP status " + std::to_string(answer.status);
  switch (verdict(answer)) {
    case Verdict::accepted:
      accepted(answer);
      return;
    case Verdict::refused:
      give_up(why, rejected_);
      return;
    case Verdict::try_again:
      backoff_.failed();
      if (backoff_.exhausted()) {
        give_up(why, failed_);
        return;
      }
      retry_at_ = Clock::now() + (answer.retry_after ? *answer.retry_after
                                                     : std::chrono::milliseconds(backoff_.pause()));
      return;
  }
}

void Exporter::accepted(const Collector::Answer& answer) {
  const std::size_t rejected = std::min(rejected_spans(answer.body), in_batch_);
  if (rejected > 0) log_.warn("trace.spans_rejected", {{"spans", rejected}, {"of", in_batch_}});
  rejected_ += rejected;
  exported_ += in_batch_ - rejected;
  if (std::exchange(troubled_, false)) log_.info("trace.export_works");
  finish();
}

/// Logs the first failure, and not each one until the collector works again.
void Exporter::give_up(const std::string& why, std::atomic<std::uint64_t>& outcome) {
  outcome += in_batch_;
  if (!std::exchange(troubled_, true)) {
    log_.warn("trace.export_failed",
              {{"why", why},
               {"spans", in_batch_},
               {"now",
                "these spans are lost and conversations go on; further failures are only "
                "counted (verbatim_trace_spans_total)"}});
  }
  finish();
}

void Exporter::finish() {
  queue_.release(in_batch_);
  in_batch_ = 0;
  body_.clear();
  body_.shrink_to_fit();
}

/// At the end: what is left is tried once, while there is time.
void Exporter::flush() {
  queue_.take(spans_);
  while (true) {
    if (body_.empty() && !spans_.empty()) make_batch();
    if (body_.empty()) return;
    judge(collector_.post(body_));
    if (!body_.empty()) {  // it would be tried again later
      give_up("the server stops", failed_);
      return;
    }
  }
}

}  // namespace verbatim::traces
