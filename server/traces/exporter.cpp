#include "server/traces/exporter.hpp"

#include <algorithm>
#include <array>
#include <exception>
#include <utility>

#include "base/clock.hpp"
#include "base/ids.hpp"
#include "base/thread_name.hpp"
#include "config/otlp_headers.hpp"
#include "server/traces/otlp_json.hpp"
#include "server/traces/span_names.hpp"

namespace verbatim::traces {

namespace {

/// Interval of the search for new spans. Polling costs the conversations nothing.
constexpr auto queue_look_interval = std::chrono::milliseconds(100);

Attributes resource_of(const config::Trace& settings) {
  static const std::string instance = new_sortable_id("relay_", now().wall);
  return {{names::service_name, settings.service_name},
          {names::service_version, VERBATIM_VERSION},
          {names::service_instance, instance}};
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

struct Exporter::Setup {
  std::size_t queue_max = 0;
  std::size_t batch_max = 0;
  std::chrono::milliseconds batch_interval{};
  std::chrono::milliseconds shutdown_timeout{};
  BackoffOptions retries;
  Attributes resource;
  std::unique_ptr<Collector> collector;  ///< null: nothing is traced
};

std::shared_ptr<Exporter::Setup> Exporter::setup(const config::Trace& settings) {
  auto made = std::make_shared<Setup>();
  made->queue_max = settings.queue_max;
  made->batch_max = settings.batch_max;
  made->batch_interval = settings.batch_interval;
  made->shutdown_timeout = settings.shutdown_timeout;
  made->retries = retries_of(settings);
  made->resource = resource_of(settings);
  if (settings.otlp_url.empty()) return made;
  made->collector = std::make_unique<Collector>(Collector::Options{
      settings.otlp_url, config::parse_otlp_headers(settings.otlp_headers.reveal()),
      settings.ca_file.string(), settings.timeout});
  return made;
}

Exporter::Exporter(Log& log) : log_(log) {}

Exporter::~Exporter() {
  if (!thread_.joinable()) return;
  // After a reload the thread may still wait for the previous collector.
  std::array<std::shared_ptr<Setup>, 2> setups;
  {
    const std::lock_guard lock(mutex_);
    stopping_ = true;
    setups = {setup_, latest_};
  }
  for (const auto& setup : setups)
    if (setup && setup->collector)
      setup->collector->stop(std::min(hurry_, setups.back()->shutdown_timeout));
  wake_.notify_all();
  thread_.join();
}

void Exporter::use(std::shared_ptr<Setup> setup) {
  queue_.set_max(setup->queue_max);
  {
    const std::lock_guard lock(mutex_);
    latest_ = std::move(setup);
  }
  if (thread_.joinable()) return;
  thread_ = std::thread([this] {
    name_this_thread("traces");
    run();
  });
}

TraceGauges Exporter::gauges() const {
  return {exported_.load(), rejected_.load(), failed_.load(), queue_.dropped(), queue_.held()};
}

void Exporter::run() {
  take_setup();
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

/// A batch in hand goes to the new collector at once.
void Exporter::take_setup() {
  {
    const std::lock_guard lock(mutex_);
    if (latest_ == setup_) return;
    setup_ = latest_;
  }
  backoff_ = Backoff(setup_->retries);
  retry_at_ = {};
  troubled_ = false;
}

/// Drops the spans of conversations that were traced before.
void Exporter::drop_all() {
  for (std::size_t i = 0; i < spans_.size() + in_batch_; ++i) queue_.lost();
  queue_.release(spans_.size());
  spans_.clear();
  finish();
}

void Exporter::work() {
  take_setup();
  const bool empty = spans_.empty();
  queue_.take(spans_);
  if (empty && !spans_.empty()) oldest_at_ = Clock::now();
  if (!setup_->collector) return drop_all();
  while (true) {
    if (body_.empty() && batch_due()) make_batch();
    if (body_.empty() || Clock::now() < retry_at_) return;
    const std::size_t waiting = spans_.size();
    judge(setup_->collector->post(body_));
    if (!body_.empty() || waiting < setup_->batch_max) return;
  }
}

bool Exporter::batch_due() const {
  return spans_.size() >= setup_->batch_max ||
         (!spans_.empty() && Clock::now() - oldest_at_ >= setup_->batch_interval);
}

void Exporter::make_batch() {
  const std::size_t count = std::min(spans_.size(), setup_->batch_max);
  body_ = export_request(setup_->resource, {spans_.data(), count});
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
  take_setup();
  queue_.take(spans_);
  if (!setup_->collector) return drop_all();
  while (true) {
    if (body_.empty() && !spans_.empty()) make_batch();
    if (body_.empty()) return;
    judge(setup_->collector->post(body_));
    if (!body_.empty()) {  // it would be tried again later
      give_up("the relay stops", failed_);
      return;
    }
  }
}

}  // namespace verbatim::traces
