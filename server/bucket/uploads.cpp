#include "server/bucket/uploads.hpp"

#include <algorithm>
#include <future>
#include <utility>

#include "base/clock.hpp"
#include "server/bucket/store_failure.hpp"
#include "server/relay/metric_family.hpp"

namespace verbatim::bucket {

namespace {

namespace fs = std::filesystem;
using std::chrono::milliseconds;

constexpr std::size_t kept_max = 1'000'000;
constexpr double ms_per_s = 1000;

struct UploadGauges {
  std::array<std::uint64_t, event_count> events{};
  std::uint64_t bytes = 0;
  std::uint64_t waiting = 0;
  std::uint64_t waiting_bytes = 0;
  double oldest_seconds = 0;
  std::uint64_t leaving = 0;
};

constexpr const char* event_names[] = {"uploaded",       "upload_failed", "removed",
                                       "removal_failed", "fetched",       "fetch_failed"};

constexpr relay::MetricFamily<UploadGauges> upload_rows[] = {
    {"verbatim_recording_uploads_total",
     "Recorded files by what happened with the bucket: uploaded and checked, fetched, removed; and "
     "calls that failed.",
     relay::MetricType::counter,
     [](const UploadGauges& now, relay::MetricSamples& out) {
       for (std::size_t one = 0; one < event_count; ++one)
         out.add({{"outcome", event_names[one]}}, now.events[one]);
     }},
    {"verbatim_recording_upload_bytes_total",
     "Bytes of recorded files that were uploaded and checked.", relay::MetricType::counter,
     [](const UploadGauges& now, relay::MetricSamples& out) { out.add(now.bytes); }},
    {"verbatim_recording_uploads_waiting", "Recorded attempts that wait for their upload.",
     relay::MetricType::gauge,
     [](const UploadGauges& now, relay::MetricSamples& out) { out.add(now.waiting); }},
    {"verbatim_recording_uploads_waiting_bytes", "Bytes of recorded attempts that wait.",
     relay::MetricType::gauge,
     [](const UploadGauges& now, relay::MetricSamples& out) { out.add(now.waiting_bytes); }},
    {"verbatim_recording_uploads_oldest_seconds",
     "Age of the oldest recording that waits for its upload.", relay::MetricType::gauge,
     [](const UploadGauges& now, relay::MetricSamples& out) { out.add(now.oldest_seconds); }},
    {"verbatim_recording_removals_waiting",
     "Objects that have to be removed from the bucket and are still there.",
     relay::MetricType::gauge,
     [](const UploadGauges& now, relay::MetricSamples& out) { out.add(now.leaving); }},
};

Backoff pauses_of(const config::Bucket& settings) {
  return backoff_between(settings.retry_min, settings.retry_max,
                         static_cast<std::uint32_t>(now().wall));
}

}  // namespace

std::string place_of(const config::Bucket& settings) {
  if (settings.bucket.empty()) return {};
  return (settings.endpoint.empty() ? "aws" : settings.endpoint) + "/" + settings.bucket;
}

Uploads::Uploads(const config::Settings& settings, store::UploadStore& store,
                 relay::Recordings* recordings, Log& log)
    : settings_(settings.bucket),
      place_(place_of(settings.bucket)),
      directory_(relay::recordings_dir(settings)),
      free_space_min_(settings.recording.free_space_min),
      store_(store),
      recordings_(recordings),
      log_(log),
      objects_(objects_of(settings.bucket)),
      on_request_(objects_of(settings.bucket)),
      uploads_{pauses_of(settings.bucket)},
      removals_{pauses_of(settings.bucket)} {
  if (!is_off()) uploader_ = std::thread([this] { run_uploads(); });
  requests_ = std::thread([this] { run_requests(); });
}

std::unique_ptr<Uploads> Uploads::start_if_any(const config::Settings& settings,
                                               store::UploadStore& store,
                                               relay::Recordings* recordings, Log& log) {
  if (settings.bucket.bucket.empty()) {
    const auto counted = std::make_shared<std::promise<store::StoreResult<std::int64_t>>>();
    store.count_uploads({reader}, [counted](store::StoreResult<std::int64_t> count) {
      counted->set_value(std::move(count));
    });
    const auto count = counted->get_future().get();
    if (!count || *count == 0) return nullptr;
    log.error("recording.bucket_missing",
              {{"objects", *count},
               {"now", "they can be neither read nor erased until recording.s3_bucket is set"}});
  }
  return std::make_unique<Uploads>(settings, store, recordings, log);
}

Uploads::~Uploads() { stop(); }

void Uploads::stop() {
  stopping_ = true;
  calls_.stop();
  wake();
  if (uploader_.joinable()) uploader_.join();
  if (requests_.joinable()) requests_.join();
}

void Uploads::wake() {
  const std::lock_guard lock(mutex_);
  ++news_;
  changed_.notify_all();
}

void Uploads::wait_until(Clock::time_point time, std::uint64_t& seen) {
  std::unique_lock lock(mutex_);
  changed_.wait_until(lock, time, [&] { return news_ != seen || stopping_; });
  seen = news_;
}

bool Uploads::must_stop(const std::string& session_id) const {
  return stopping_ || gate_.is_held(session_id);
}

fs::path Uploads::path_of(const std::string& session_id, const std::string& file) const {
  return recording::folder_of(directory_, session_id) / file;
}

// --- Pauses ---

Uploads::Clock::time_point Uploads::paused_until(const Pause& pause) const {
  const std::lock_guard lock(mutex_);
  return pause.until;
}

void Uploads::take_pause(Pause& pause, const Failure& failure) {
  const std::lock_guard lock(mutex_);
  const milliseconds own(pause.backoff.pause());
  pause.backoff.failed();
  pause.asked_until = Clock::now() + std::min(failure.pause.value_or(milliseconds(0)),
                                              milliseconds(settings_.retry_max));
  pause.until = std::max(pause.asked_until, Clock::now() + own);
}

void Uploads::succeeded(Pause& pause) {
  const std::lock_guard lock(mutex_);
  pause.backoff.reset();
}

// --- Requests of others, from any thread ---

void Uploads::hold(const std::string& session_id, std::function<void()> done) {
  gate_.hold(session_id, std::move(done));
}

void Uploads::release(const std::string& session_id) {
  gate_.release(session_id);
  wake();
}

void Uploads::offer(const std::string& session_id, int attempt) {
  if (is_off() || stopping_) return;
  Waiting waiting{Clock::now()};
  waiting.since = now().wall;
  for (const recording::TrackFile& one : recording::list_tracks(directory_, session_id)) {
    if (one.track.attempt != attempt || one.unfinished) continue;
    const fs::path path = recording::file_of(directory_, one.track, one.form);
    std::error_code ec;
    const auto bytes = fs::file_size(path, ec);
    if (!ec) waiting.bytes += bytes;
    const auto time = fs::last_write_time(path, ec);
    if (ec) continue;
    const auto age = fs::file_time_type::clock::now() - time;
    const TimeMs ended = now().wall - std::chrono::duration_cast<milliseconds>(age).count();
    waiting.since = std::min(waiting.since, ended);
  }
  const std::lock_guard lock(mutex_);
  offered_.try_emplace({session_id, attempt}, waiting);
  ++news_;
  changed_.notify_all();
}

void Uploads::give_up(const std::string& session_id, std::optional<int> attempt,
                      store::Done<std::int64_t> done) {
  const auto noted = [this, done = std::move(done)](store::StoreResult<std::int64_t> left) {
    if (left && *left > 0) {
      const std::lock_guard lock(mutex_);
      // An erasure waits: only a pause that the service has asked for is kept.
      removals_.until = removals_.asked_until;
      next_removals_ = {};
      ++news_;
      changed_.notify_all();
    }
    done(std::move(left));
  };
  store_.release_uploads(session_id, attempt, now().wall, noted);
}

void Uploads::when_removed(const std::string& session_id, std::function<void()> gone) {
  const std::lock_guard lock(mutex_);
  when_removed_[session_id].push_back(std::move(gone));
  removed_from_.insert(session_id);
  ++news_;
  changed_.notify_all();
}

void Uploads::bring_back(const std::string& session_id, int attempt, Back done) {
  used(session_id);
  const auto read = [this, session_id, attempt,
                     done = std::move(done)](const store::StoreResult<Rows>& rows) {
    if (!rows)
      return done(recording::Trouble{recording::TroubleKind::elsewhere, rows.error().what()});
    // A reader of files that are here waits for no call of the bucket.
    if (missing_of({session_id, attempt}, *rows).empty()) return done(std::nullopt);
    const std::lock_guard lock(mutex_);
    fetches_.push_back({{session_id, attempt}, done});
    reader_came_ = true;
    ++news_;
    changed_.notify_all();
  };
  store_.uploads_of(session_id, {reader}, read);
}

/// Objects of tracks that have no file here, the newest first.
Uploads::Rows Uploads::missing_of(const Attempt& attempt, const Rows& rows) const {
  const auto files = recording::list_tracks(directory_, attempt.first);
  Rows missing;
  for (const store::Upload& row : rows)
    if (row.attempt == attempt.second && row.state == store::UploadState::stored &&
        !is_local(row, files))
      missing.insert(missing.begin(), row);
  return missing;
}

bool Uploads::is_local(const store::Upload& row,
                       const std::vector<recording::TrackFile>& files) const {
  const auto wanted = recording::track_file(row.session_id, row.file);
  return !wanted || std::any_of(files.begin(), files.end(), [&](const auto& one) {
    return one.track == wanted->track && !one.unfinished;
  });
}

void Uploads::used(const std::string& session_id) {
  if (!settings_.delete_local) return;
  const std::lock_guard lock(mutex_);
  used_[session_id] = Clock::now();
}

void Uploads::kept(store::Done<Attempts> done) {
  const auto listed = [done = std::move(done)](store::StoreResult<Rows> rows) {
    if (!rows) return done(tl::unexpected(rows.error()));
    Attempts attempts;
    for (const store::Upload& row : *rows) attempts.emplace_back(row.session_id, row.attempt);
    done(std::move(attempts));
  };
  store_.uploads_in(store::UploadState::stored, kept_max, {reader}, listed);
}

void Uploads::kept_before(TimeMs time, store::Done<std::vector<std::string>> done) {
  store_.sessions_uploaded_before(time, {reader}, std::move(done));
}

void Uploads::add_metrics(relay::MetricsPage& page, const Uploads* uploads) {
  UploadGauges gauges;
  if (uploads != nullptr) {
    std::copy(uploads->counts_.begin(), uploads->counts_.end(), gauges.events.begin());
    gauges.bytes = uploads->bytes_sent_;
    gauges.leaving = uploads->leaving_;
    TimeMs oldest = now().wall;
    const std::lock_guard lock(uploads->mutex_);
    gauges.waiting = uploads->offered_.size();
    for (const auto& [attempt, waiting] : uploads->offered_) {
      gauges.waiting_bytes += waiting.bytes;
      oldest = std::min(oldest, waiting.since);
    }
    gauges.oldest_seconds = static_cast<double>(now().wall - oldest) / ms_per_s;
    if (uploads->offered_.empty()) gauges.oldest_seconds = 0;
  }
  page.add(upload_rows, gauges);
}

}  // namespace verbatim::bucket
