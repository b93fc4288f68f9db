#include "server/relay/storage_monitor.hpp"

#include <fcntl.h>
#include <unistd.h>

#include <cerrno>
#include <cstring>
#include <utility>

#include "server/relay/free_space.hpp"
#include "server/relay/shipping_health.hpp"

namespace verbatim::relay {

namespace {

using store::JournalState;

/// Interval of the search for the readers of a log that is too large.
constexpr auto readers_look_interval = std::chrono::seconds(1);

}  // namespace

StorageWatch::StorageWatch(const config::LiveSettings& settings, std::filesystem::path data_dir,
                           const std::vector<std::unique_ptr<Worker>>& workers, Registry& registry,
                           Log& log, std::function<void()> on_end, std::function<void()> on_recover)
    : settings_(settings),
      data_dir_(std::move(data_dir)),
      workers_(workers),
      registry_(registry),
      log_(log),
      on_end_(std::move(on_end)),
      on_recover_(std::move(on_recover)) {}

void StorageWatch::found(const std::vector<store::LogFinding>& logs) {
  {
    const std::lock_guard lock(scrape_);
    found_logs_ = logs;
  }
  for (const auto& one : logs) {
    const LogFields fields = {{"log", one.log.string()},
                              {"state", store::to_string(one.state)},
                              {"lost", one.lost},
                              {"what", one.what}};
    one.lost ? log_.warn("recovery.log", fields) : log_.info("recovery.log", fields);
  }
}

void StorageWatch::look() {
  store_->check(net::Clock::now());
  look_at_space();
  look_at_log();
}

/// Logs the readers that keep the write-ahead log from being reset, and aborts our own.
void StorageWatch::look_at_log() {
  const std::size_t bytes = store_->log_bytes();
  const std::size_t most = settings_.get()->journal.log_bytes_max;
  const LogSize before = log_size_;
  // Back to small only after the log was reset.
  LogSize now = LogSize::small;
  if (bytes > most || (before != LogSize::small && bytes > most / 2)) now = LogSize::large;
  if (bytes / 2 > most || (before == LogSize::too_large && bytes > most)) now = LogSize::too_large;
  const auto at = net::Clock::now();
  if (now != LogSize::small && at >= next_readers_look_) {
    next_readers_look_ = at + readers_look_interval;
    std::string readers = who_reads();
    const std::lock_guard lock(mutex_);
    readers_ = std::move(readers);
  }
  log_size_ = now;
  if (now != LogSize::small)
    reads_broken_off_.fetch_add(store_->break_off_reads(at - settings_.get()->journal.read_max),
                                std::memory_order_relaxed);
  if (now == before) return;
  const std::string why = now == LogSize::small ? std::string() : warning() + refusal_of_log();
  const LogFields fields = {{"log_bytes", bytes},
                            {"log_bytes_max", most},
                            {"now", now == LogSize::small ? "the write-ahead log was reset" : why}};
  now == LogSize::small ? log_.info("journal.log", fields) : log_.warn("journal.log", fields);
}

std::string StorageWatch::who_reads() const {
  const std::string names = store_->log_readers();
  return names.empty() ? "the reader is not known" : "read by " + names;
}

std::string StorageWatch::log_in_words() const {
  const std::lock_guard lock(mutex_);
  return "the write-ahead log has " + std::to_string(store_->log_bytes() / 1024) +
         " KiB because a reader keeps it from being reset (" + readers_ + ")";
}

std::string StorageWatch::warning() const {
  if (log_size_ != LogSize::large) return {};
  return log_in_words() + ": above journal.log_bytes_max; end that reader";
}

std::string StorageWatch::refusal_of_log() const {
  if (log_size_ != LogSize::too_large) return {};
  return log_in_words() + ": above twice journal.log_bytes_max; end that reader";
}

void StorageWatch::look_at_space() {
  std::error_code unknown;
  const auto disk = std::filesystem::space(data_dir_, unknown);
  if (unknown) return;  // the journal reports the error
  free_bytes_ = disk.available;
  const FreeSpaceLimits limits = free_space_limits(settings_.get()->storage, disk.capacity);
  const Space before = space_;
  // Back only with some margin, so that the state does not alternate.
  const auto below = [&](std::uintmax_t limit, bool already) {
    return disk.available < limit + (already ? limit / 4 : 0);
  };
  Space now = Space::enough;
  if (below(limits.little, before != Space::enough)) now = Space::low;
  if (below(limits.least, before == Space::too_low)) now = Space::too_low;
  space_ = now;
  if (now != before) {
    const LogFields fields = {
        {"free_bytes", disk.available},
        {"dir", data_dir_.string()},
        {"now", now == Space::enough ? "there is enough space"
                : now == Space::low  ? "free some space (storage.free_space_warn)"
                                     : "no new session is admitted (storage.free_space_min)"}};
    now == Space::enough ? log_.info("storage.space", fields) : log_.warn("storage.space", fields);
  }
  keep_ballast(disk.available, disk.capacity);
}

void StorageWatch::keep_ballast(std::uintmax_t free, std::uintmax_t capacity) {
  const auto wanted = at_most_share(settings_.get()->storage.ballast, capacity, 32);
  std::error_code ec;
  if (wanted == 0 || ballast_refused_ || space_ != Space::enough || free < 2 * wanted ||
      store_->state() != JournalState::working || std::filesystem::exists(ballast(), ec)) {
    return;
  }
  const int made = ::open(ballast().c_str(), O_CREAT | O_EXCL | O_WRONLY | O_CLOEXEC, 0600);
  if (made < 0 || ::fallocate(made, 0, 0, static_cast<off_t>(wanted)) != 0) {
    log_.info("storage.no_ballast", {{"file", ballast().string()}, {"why", std::strerror(errno)}});
    ballast_refused_ = true;
    std::filesystem::remove(ballast(), ec);
  }
  if (made >= 0) ::close(made);
}

std::string StorageWatch::refusal() const {
  std::string why = journal_refusal();
  if (why.empty() && shipping_ != nullptr) why = shipping_->refusal();
  return why;
}

std::string StorageWatch::journal_refusal() const {
  switch (store_->state()) {
    case JournalState::working:
      break;
    case JournalState::stalled:
      return "the disk does not keep up or is full: text waits to be written";
    case JournalState::unavailable:
      return "the disk is full or locked: transcripts cannot be written until it has recovered";
    case JournalState::fallback:
      return "the journal goes on in storage.fallback_dir because its own disk failed";
    case JournalState::failed:
      return "the journal has failed; see the log";
  }
  if (behind_) return "the journal of the previous process is being recovered";
  if (space_ == Space::too_low) return "too little space is left on the disk of server.data_dir";
  return refusal_of_log();
}

void StorageWatch::on_durable(transcript::Sequence) {
  for (const auto& worker : workers_) worker->journal_moved();
}

void StorageWatch::on_failed(store::Failure failure, const std::string& message) {
  count(failure);
  log_.error("journal.failed",
             {{"kind", store::to_string(failure)},
              {"why", message},
              {"now",
               "sessions are closed with storage_failure; text in the journal is kept and "
               "recovered at the next start"}});
  for (const auto& worker : workers_) worker->journal_moved();
  on_end_();
}

void StorageWatch::on_trouble(JournalState state, const store::StorageError& why) {
  const char* what = "sessions wait, and no new session is admitted";
  if (state == JournalState::stalled) {
    ++stalls_;
  } else {
    count(why.failure());
  }
  if (state == JournalState::fallback) {
    what =
        "sessions go on in storage.fallback_dir, and no new session is admitted; repair the disk, "
        "then restart to merge both journals";
  } else if (state == JournalState::unavailable) {
    what =
        "sessions are closed with storage_failure; their text is held in memory, and the write is "
        "retried every second";
    registry_.end_all(transcript::CloseReason::storage_failure, "the transcript cannot be saved");
  }
  log_.error("storage.trouble", {{"state", store::to_string(state)},
                                 {"kind", store::to_string(why.failure())},
                                 {"why", why.what()},
                                 {"now", what}});
}

void StorageWatch::on_recovered() {
  log_.warn("storage.healed",
            {{"now", "all held text is written; new sessions are admitted again"}});
  on_recover_();
}

}  // namespace verbatim::relay
