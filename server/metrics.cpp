#include "server/metrics.hpp"

#include <prometheus/metric_family.h>
#include <prometheus/text_serializer.h>

#include <algorithm>
#include <limits>

namespace verbatim::server {

namespace {

using prometheus::ClientMetric;
using prometheus::MetricFamily;
using prometheus::MetricType;

constexpr const char* way_names[] = {"to_upstream", "to_client"};
constexpr const char* kind_names[] = {"audio", "text", "other"};

MetricFamily family(const char* name, const char* help, MetricType type) {
  MetricFamily made;
  made.name = name;
  made.help = help;
  made.type = type;
  return made;
}

using Labels = std::vector<std::pair<std::string, std::string>>;

ClientMetric labelled(const Labels& labels) {
  ClientMetric metric;
  for (const auto& [name, value] : labels) {
    ClientMetric::Label label;
    label.name = name;
    label.value = value;
    metric.label.push_back(std::move(label));
  }
  return metric;
}

void add_counter(MetricFamily& to, const Labels& labels, double value) {
  ClientMetric metric = labelled(labels);
  metric.counter.value = value;
  to.metric.push_back(std::move(metric));
}

void add_gauge(MetricFamily& to, const Labels& labels, double value) {
  ClientMetric metric = labelled(labels);
  metric.gauge.value = value;
  to.metric.push_back(std::move(metric));
}

// `counts` are per bucket; Prometheus wants them cumulative.
void add_histogram(MetricFamily& to, const Labels& labels, const std::vector<double>& bounds,
                   const std::vector<std::uint64_t>& counts, double sum) {
  ClientMetric metric = labelled(labels);
  std::uint64_t cumulative = 0;
  for (std::size_t i = 0; i < counts.size(); ++i) {
    cumulative += counts[i];
    ClientMetric::Bucket bucket;
    bucket.cumulative_count = cumulative;
    bucket.upper_bound = i < bounds.size() ? bounds[i] : std::numeric_limits<double>::infinity();
    metric.histogram.bucket.push_back(bucket);
  }
  metric.histogram.sample_count = cumulative;
  metric.histogram.sample_sum = sum;
  to.metric.push_back(std::move(metric));
}

template <class Read>
double total(const std::vector<Tally>& tallies, Read read) {
  std::uint64_t sum = 0;
  for (const Tally& tally : tallies) sum += read(tally).get();
  return static_cast<double>(sum);
}

}  // namespace

void Histogram::observe_us(std::int64_t value) {
  const auto at = std::lower_bound(bounds_us.begin(), bounds_us.end(), value);
  buckets[static_cast<std::size_t>(at - bounds_us.begin())].add();
  sum_us.add(static_cast<std::uint64_t>(std::max<std::int64_t>(value, 0)));
}

void Tally::relayed(Way way, session::MessageKind kind, std::size_t size, std::int64_t delay_us) {
  const auto w = static_cast<std::size_t>(way);
  const auto k = static_cast<std::size_t>(kind);
  messages[w][k].add();
  bytes[w][k].add(size);
  delay[w][k].observe_us(delay_us);
}

void Tally::session_ended(session::CloseReason reason,
                          const std::vector<session::Turn>& turns_of_it) {
  ended[static_cast<std::size_t>(reason)].add();
  for (const session::Turn& turn : turns_of_it) {
    turns[static_cast<std::size_t>(turn.role)][static_cast<std::size_t>(turn.status)].add();
  }
}

void Metrics::count_journal_failure(storage::Failure failure) {
  ++journal_failures_[static_cast<std::size_t>(failure)];
}

std::string Metrics::render(const Gauges& gauges, const storage::JournalStats& stats) {
  const std::lock_guard lock(scrape_);
  std::vector<MetricFamily> families;

  auto sessions = family("verbatim_sessions", "Sessions now, by state.", MetricType::Gauge);
  add_gauge(sessions, {{"state", "live"}}, static_cast<double>(gauges.live_sessions));
  families.push_back(std::move(sessions));

  auto opened = family("verbatim_sessions_opened_total", "Attempts opened.", MetricType::Counter);
  add_counter(opened, {},
              total(
                  tallies_, [](auto& t) -> auto& { return t.sessions_opened; }));
  families.push_back(std::move(opened));

  auto ended =
      family("verbatim_sessions_ended_total", "Sessions ended, by reason.", MetricType::Counter);
  for (const auto reason : session::all_close_reasons) {
    add_counter(
        ended, {{"reason", std::string(to_string(reason))}},
        total(
            tallies_, [&](auto& t) -> auto& { return t.ended[static_cast<std::size_t>(reason)]; }));
  }
  families.push_back(std::move(ended));

  auto messages = family("verbatim_messages_total", "Messages relayed.", MetricType::Counter);
  auto bytes = family("verbatim_message_bytes_total", "Their payload.", MetricType::Counter);
  auto delay =
      family("verbatim_relay_delay_seconds", "From read to written.", MetricType::Histogram);
  std::vector<double> bounds;
  for (const auto bound : Histogram::bounds_us) bounds.push_back(static_cast<double>(bound) / 1e6);
  for (std::size_t w = 0; w < Tally::ways; ++w) {
    for (std::size_t k = 0; k < Tally::kinds; ++k) {
      const Labels labels = {{"direction", way_names[w]}, {"kind", kind_names[k]}};
      add_counter(messages, labels,
                  total(
                      tallies_, [&](auto& t) -> auto& { return t.messages[w][k]; }));
      add_counter(bytes, labels,
                  total(
                      tallies_, [&](auto& t) -> auto& { return t.bytes[w][k]; }));
      std::vector<std::uint64_t> counts(Histogram::bounds_us.size() + 1);
      double sum = 0;
      for (const Tally& tally : tallies_) {
        const Histogram& one = tally.delay[w][k];
        for (std::size_t i = 0; i < counts.size(); ++i) counts[i] += one.buckets[i].get();
        sum += static_cast<double>(one.sum_us.get()) / 1e6;
      }
      add_histogram(delay, labels, bounds, counts, sum);
    }
  }
  families.push_back(std::move(messages));
  families.push_back(std::move(bytes));
  families.push_back(std::move(delay));

  auto turns = family("verbatim_turns_total", "Turns of ended sessions.", MetricType::Counter);
  using session::Role;
  using session::TurnStatus;
  for (const Role role : {Role::user, Role::assistant, Role::system}) {
    for (const TurnStatus status :
         {TurnStatus::completed, TurnStatus::interrupted, TurnStatus::cancelled,
          TurnStatus::truncated, TurnStatus::failed}) {
      add_counter(
          turns,
          {{"role", std::string(to_string(role))}, {"status", std::string(to_string(status))}},
          total(
              tallies_, [&](auto& t) -> auto& {
                return t.turns[static_cast<std::size_t>(role)][static_cast<std::size_t>(status)];
              }));
    }
  }
  families.push_back(std::move(turns));

  auto refused = family("verbatim_client_messages_refused_total",
                        "Client events answered with an error event.", MetricType::Counter);
  add_counter(refused, {},
              total(
                  tallies_, [](auto& t) -> auto& { return t.client_messages_refused; }));
  families.push_back(std::move(refused));
  auto denied =
      family("verbatim_upgrades_refused_total", "WebSocket upgrades refused.", MetricType::Counter);
  add_counter(denied, {},
              total(
                  tallies_, [](auto& t) -> auto& { return t.upgrades_refused; }));
  families.push_back(std::move(denied));

  for (std::size_t i = 0; i < storage::JournalStats::bucket_count; ++i) {
    journal_total_.wait_buckets[i] += stats.wait_buckets[i];
  }
  journal_total_.wait_sum_seconds += stats.wait_sum_seconds;
  journal_total_.commits += stats.commits;
  journal_total_.rows += stats.rows;
  journal_total_.bytes += stats.bytes;
  auto wait =
      family("verbatim_journal_wait_seconds", "From submitted to durable.", MetricType::Histogram);
  add_histogram(wait, {},
                {storage::JournalStats::bounds,
                 storage::JournalStats::bounds + storage::JournalStats::bucket_count - 1},
                {journal_total_.wait_buckets,
                 journal_total_.wait_buckets + storage::JournalStats::bucket_count},
                journal_total_.wait_sum_seconds);
  families.push_back(std::move(wait));
  auto commits = family("verbatim_journal_commits_total", "Group commits.", MetricType::Counter);
  add_counter(commits, {}, static_cast<double>(journal_total_.commits));
  families.push_back(std::move(commits));
  auto rows = family("verbatim_journal_rows_total", "Journal rows.", MetricType::Counter);
  add_counter(rows, {}, static_cast<double>(journal_total_.rows));
  families.push_back(std::move(rows));

  auto failures =
      family("verbatim_journal_failures_total", "Journal failures, by kind.", MetricType::Counter);
  using storage::Failure;
  for (const Failure failure :
       {Failure::disk_full, Failure::io_error, Failure::corrupt, Failure::read_only, Failure::busy,
        Failure::queue_full, Failure::other}) {
    add_counter(failures, {{"kind", to_string(failure)}},
                static_cast<double>(journal_failures_[static_cast<std::size_t>(failure)].load()));
  }
  families.push_back(std::move(failures));

  const StorageGauges& storage = gauges.storage;
  using verbatim::storage::JournalState;
  auto state = family("verbatim_journal_state", "1 for the state it is in.", MetricType::Gauge);
  for (const JournalState one :
       {JournalState::working, JournalState::stalled, JournalState::unavailable,
        JournalState::fallback, JournalState::failed}) {
    add_gauge(state, {{"state", to_string(one)}}, storage.state == one ? 1 : 0);
  }
  families.push_back(std::move(state));
  auto stalls = family("verbatim_journal_stalls_total", "Times that a full or locked disk was met.",
                       MetricType::Counter);
  add_counter(stalls, {}, static_cast<double>(storage.stalls));
  families.push_back(std::move(stalls));
  auto held = family("verbatim_journal_queue_bytes", "Waiting for the disk.", MetricType::Gauge);
  add_gauge(held, {}, static_cast<double>(storage.queue_bytes));
  families.push_back(std::move(held));
  auto log = family("verbatim_journal_log_bytes",
                    "Of the write-ahead log; it grows while a reader holds it.", MetricType::Gauge);
  add_gauge(log, {}, static_cast<double>(storage.log_bytes));
  families.push_back(std::move(log));
  auto free =
      family("verbatim_storage_free_bytes", "On the disk of server.data_dir.", MetricType::Gauge);
  add_gauge(free, {}, static_cast<double>(storage.free_bytes));
  families.push_back(std::move(free));
  auto draining = family("verbatim_draining", "1 after SIGTERM.", MetricType::Gauge);
  add_gauge(draining, {}, gauges.draining ? 1 : 0);
  families.push_back(std::move(draining));

  return prometheus::TextSerializer().Serialize(families);
}

}  // namespace verbatim::server
