// Metrics of the storage monitor: the journal, its write-ahead log, the disk.
#include <algorithm>

#include "server/relay/metric_family.hpp"
#include "server/relay/storage_monitor.hpp"

namespace verbatim::relay {

namespace {

using store::Failure;
using store::JournalState;
using store::JournalStats;
using store::LogState;

void read_waits(const StorageGauges& now, MetricSamples& out) {
  const JournalStats& all = now.written;
  out.add_histogram(
      {}, {JournalStats::bounds, JournalStats::bounds + JournalStats::bucket_count - 1},
      {all.wait_buckets, all.wait_buckets + JournalStats::bucket_count}, all.wait_sum_seconds);
}

void read_failures(const StorageGauges& now, MetricSamples& out) {
  for (const Failure failure :
       {Failure::disk_full, Failure::io_error, Failure::corrupt, Failure::taken_away,
        Failure::read_only, Failure::busy, Failure::queue_full, Failure::other})
    out.add({{"kind", store::to_string(failure)}}, now.failures[static_cast<std::size_t>(failure)]);
}

void read_found_logs(const StorageGauges& now, MetricSamples& out) {
  for (const LogState state : {LogState::missing, LogState::empty, LogState::cut_short,
                               LogState::unreadable, LogState::damaged}) {
    for (const bool lost : {false, true}) {
      const auto count =
          std::count_if(now.found_logs.begin(), now.found_logs.end(),
                        [&](const auto& one) { return one.state == state && one.lost == lost; });
      out.add({{"state", store::to_string(state)}, {"lost", lost ? "true" : "false"}}, count);
    }
  }
}

void read_state(const StorageGauges& now, MetricSamples& out) {
  for (const JournalState one :
       {JournalState::working, JournalState::stalled, JournalState::unavailable,
        JournalState::fallback, JournalState::failed})
    out.add({{"state", store::to_string(one)}}, now.state == one);
}

/// `of`: since the last scrape.
void add(const JournalStats& of, JournalStats& to) {
  for (std::size_t i = 0; i < JournalStats::bucket_count; ++i)
    to.wait_buckets[i] += of.wait_buckets[i];
  to.wait_sum_seconds += of.wait_sum_seconds;
  to.commits += of.commits;
  to.rows += of.rows;
  to.bytes += of.bytes;
}

constexpr MetricFamily<StorageGauges> storage_rows[] = {
    {"verbatim_journal_wait_seconds",
     "Time from submitting a row to its durable commit, in seconds.", MetricType::histogram,
     read_waits},
    {"verbatim_journal_commits_total", "Group commits of the journal.", MetricType::counter,
     [](const StorageGauges& now, MetricSamples& out) { out.add(now.written.commits); }},
    {"verbatim_journal_rows_total", "Rows committed to the journal.", MetricType::counter,
     [](const StorageGauges& now, MetricSamples& out) { out.add(now.written.rows); }},
    {"verbatim_journal_failures_total", "Journal failures, by kind.", MetricType::counter,
     read_failures},
    {"verbatim_recovery_logs",
     "Write-ahead logs found at start, by state and by whether durable rows are missing.",
     MetricType::gauge, read_found_logs},
    {"verbatim_journal_state", "1 for the current state of the journal, 0 for the others.",
     MetricType::gauge, read_state},
    {"verbatim_journal_stalls_total", "Times that the journal stalled on a full or locked disk.",
     MetricType::counter,
     [](const StorageGauges& now, MetricSamples& out) { out.add(now.stalls); }},
    {"verbatim_journal_queue_bytes", "Bytes waiting to be written to the journal.",
     MetricType::gauge,
     [](const StorageGauges& now, MetricSamples& out) { out.add(now.queue_bytes); }},
    {"verbatim_journal_log_bytes",
     "Size of the write-ahead log. It grows while a reader holds it open.", MetricType::gauge,
     [](const StorageGauges& now, MetricSamples& out) { out.add(now.log_bytes); }},
    {"verbatim_journal_log_large",
     "1 while the write-ahead log is larger than journal.log_bytes_max.", MetricType::gauge,
     [](const StorageGauges& now, MetricSamples& out) { out.add(now.log_large); }},
    {"verbatim_reads_broken_off_total",
     "Checks at which the relay ended one of its own reads because the read held a large "
     "write-ahead log (journal.read_max).",
     MetricType::counter,
     [](const StorageGauges& now, MetricSamples& out) { out.add(now.reads_broken_off); }},
    {"verbatim_storage_free_bytes", "Free bytes on the disk of server.data_dir.", MetricType::gauge,
     [](const StorageGauges& now, MetricSamples& out) { out.add(now.free_bytes); }},
};

}  // namespace

void StorageWatch::add_metrics(MetricsPage& page) const { page.add(storage_rows, gauges()); }

StorageGauges StorageWatch::gauges() const {
  StorageGauges now;
  {
    const std::lock_guard lock(scrape_);
    add(store_->take_stats(), written_);
    now.written = written_;
    now.found_logs = found_logs_;
  }
  for (std::size_t i = 0; i < failures_.size(); ++i) now.failures[i] = failures_[i].load();
  now.state = store_->state();
  now.queue_bytes = store_->queue_bytes();
  now.log_bytes = store_->log_bytes();
  now.free_bytes = free_bytes_;
  now.stalls = stalls_;
  now.log_large = log_size_ != LogSize::small;
  now.reads_broken_off = reads_broken_off_;
  return now;
}

}  // namespace verbatim::relay
