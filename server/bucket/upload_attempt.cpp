// The thread that uploads: one attempt at a time, and then the removal of local files.
#include <algorithm>
#include <system_error>

#include "base/clock.hpp"
#include "base/ids.hpp"
#include "base/thread_name.hpp"
#include "server/bucket/store_failure.hpp"
#include "server/bucket/uploads.hpp"

namespace verbatim::bucket {

namespace {

namespace fs = std::filesystem;
using std::chrono::milliseconds;
using store::StoreResult;

constexpr std::size_t begun_max = 100'000;
/// A session that is held, or busy in the other thread, is looked at again after that.
constexpr milliseconds held_pause{500};
/// After the answer that a file is here, its reader begins within this time.
constexpr milliseconds reader_pause{10'000};

Failure stopped_failure() { return {.why = "stopped", .stopped = true}; }

}  // namespace

void Uploads::run_uploads() {
  name_this_thread("audio-upload");
  give_way();
  take_begun();
  std::uint64_t seen = 0;
  while (!stopping_) {
    if (const auto attempt = next_attempt()) {
      work_on(*attempt);
      continue;
    }
    remove_idle();
    wait_until(next_upload(), seen);
  }
}

/// Uploads that an earlier process has begun, also of files that are not here any more.
void Uploads::take_begun() {
  const auto rows = calls_.wait_for<StoreResult<Rows>>(
      [&](auto done) { store_.uploads_in(store::UploadState::begun, begun_max, {reader}, done); });
  if (!rows || !*rows) return;
  for (const store::Upload& row : **rows) offer(row.session_id, row.attempt);
}

/// The gate is entered for it.
std::optional<Uploads::Attempt> Uploads::next_attempt() {
  const std::lock_guard lock(mutex_);
  const auto now = Clock::now();
  if (now < uploads_.until) return std::nullopt;
  for (auto& [attempt, waiting] : offered_) {
    if (waiting.due > now) continue;
    if (gate_.enter(attempt.first, Gate::Work::transfer)) return attempt;
    waiting.due = now + held_pause;
  }
  return std::nullopt;
}

Uploads::Clock::time_point Uploads::next_upload() const {
  const std::lock_guard lock(mutex_);
  auto next = Clock::now() + std::chrono::hours(1);
  for (const auto& [attempt, waiting] : offered_)
    next = std::min(next, std::max(waiting.due, uploads_.until));
  for (const auto& [attempt, due] : here_) next = std::min(next, due);
  return next;
}

void Uploads::work_on(const Attempt& attempt) {
  const Outcome failure = upload(attempt);
  gate_.leave(attempt.first);
  const bool stopped = failure && failure->stopped;
  if (failure && !stopped && !failure->of_object) take_pause(uploads_, *failure);
  milliseconds pause = held_pause;
  {
    const std::lock_guard lock(mutex_);
    const auto found = offered_.find(attempt);
    if (found == offered_.end()) return;
    if (!failure) {
      offered_.erase(found);
      if (settings_.delete_local) here_[attempt] = Clock::now() + settings_.local_idle;
      return;
    }
    Waiting& waiting = found->second;
    if (!stopped) pause = doubled(settings_.retry_min, waiting.failures++, settings_.retry_max);
    waiting.due = Clock::now() + pause;
  }
  if (stopped) return;
  count(Event::upload_failed);
  log_.error("recording.not_uploaded", {{"session", attempt.first},
                                        {"attempt", attempt.second},
                                        {"why", failure->why},
                                        {"now", "the audio stays here; it is tried again"}});
}

Outcome Uploads::upload(const Attempt& attempt) {
  const std::string& session_id = attempt.first;
  const int number = attempt.second;
  const auto rows = calls_.wait_for<StoreResult<Rows>>(
      [&](auto done) { store_.uploads_of(session_id, {reader}, done); });
  if (auto failure = failure_in(rows)) return failure;
  std::set<std::string> files;
  for (const recording::TrackFile& one : recording::list_tracks(directory_, session_id))
    if (one.track.attempt == number && !one.unfinished)
      files.insert(recording::file_of(directory_, one.track, one.form).filename().string());
  for (const std::string& file : files)
    if (auto failure = upload_file(attempt, file, **rows)) return failure;
  return drop_stale(attempt, files);
}

Outcome Uploads::upload_file(const Attempt& attempt, const std::string& file, const Rows& rows) {
  const std::string& session_id = attempt.first;
  const int number = attempt.second;
  const recording::DiskFile opened = recording::DiskFile::open(path_of(session_id, file));
  const std::int64_t bytes = opened ? opened.size() : -1;
  if (bytes < 0) return Failure{.why = recording::system_trouble(file).why, .of_object = true};
  if (bytes == 0) return std::nullopt;
  const auto is_of_file = [&](const store::Upload& row) {
    return row.attempt == number && row.file == file && row.bytes == bytes && row.place == place_ &&
           row.state != store::UploadState::leaving;
  };
  // An object that was checked once needs no digest at each start.
  for (const store::Upload& row : rows)
    if (is_of_file(row) && row.state == store::UploadState::stored) return std::nullopt;
  const auto stopped = [&] { return must_stop(session_id); };
  const auto size = static_cast<std::uint64_t>(bytes);
  auto digest = digest_of(opened, 0, size, stopped);
  if (!digest && stopped()) return stopped_failure();
  if (!digest) return Failure{.why = file + " cannot be read to its end", .of_object = true};
  const FileToPut content{opened, size, *std::move(digest)};
  for (const store::Upload& row : rows)
    if (is_of_file(row) && row.sha256 == content.digest.sha256) return send(row, content, true);

  store::Upload row;
  row.session_id = session_id;
  row.attempt = number;
  row.file = file;
  row.place = place_;
  row.key = settings_.prefix + recording::folder_of({}, session_id).filename().string() + "/" +
            new_sortable_id({}, now().wall) + "." + file;
  row.bytes = bytes;
  row.sha256 = content.digest.sha256;
  row.changed_at = now().wall;
  const auto begun = calls_.wait_for<StoreResult<std::int64_t>>(
      [&](auto done) { store_.begin_upload(row, done); });
  // An erased session: the next look finds no file.
  if (begun && !*begun && begun->error().failure() == store::Failure::not_found)
    return Failure{.why = "there is no such session", .of_object = true};
  if (auto failure = failure_in(begun)) return failure;
  row.id = **begun;
  return send(row, content, false);
}

/// `again`: an earlier try may have sent it.
Outcome Uploads::send(const store::Upload& row, const FileToPut& file, bool again) {
  const auto stopped = [&] { return must_stop(row.session_id); };
  if (stopped()) return stopped_failure();
  const bool is_there = again && !objects_->check(row.key, file, stopped);
  if (!is_there) {
    if (auto failure = objects_->put(row.key, file, again, stopped)) return failure;
    if (auto failure = objects_->check(row.key, file, stopped)) return failure;
  }
  succeeded(uploads_);
  const auto finished = calls_.wait_for<StoreResult<bool>>(
      [&](auto done) { store_.finish_upload(row.id, now().wall, done); });
  if (auto failure = failure_in(finished)) return failure;
  if (!**finished) return std::nullopt;  // it is leaving
  count(Event::uploaded);
  bytes_sent_ += file.bytes;
  log_.info("recording.uploaded", {{"session", row.session_id},
                                   {"attempt", row.attempt},
                                   {"file", row.file},
                                   {"bytes", row.bytes}});
  return std::nullopt;
}

Outcome Uploads::release_row(std::int64_t id) {
  const auto released = calls_.wait_for<StoreResult<>>(
      [&](auto done) { store_.release_upload(id, now().wall, done); });
  const std::lock_guard lock(mutex_);
  next_removals_ = {};
  ++news_;
  changed_.notify_all();
  return failure_in(released);
}

/// Objects of files that are here in another form now, and uploads that cannot be ended.
Outcome Uploads::drop_stale(const Attempt& attempt, const std::set<std::string>& files) {
  const auto rows = calls_.wait_for<StoreResult<Rows>>(
      [&](auto done) { store_.uploads_of(attempt.first, {reader}, done); });
  if (auto failure = failure_in(rows)) return failure;
  std::map<std::string, std::int64_t> newest;  // by "1.user", what is stored
  const auto track_of = [](const store::Upload& row) {
    return row.file.substr(0, row.file.rfind('.'));
  };
  for (const store::Upload& row : **rows)
    if (row.attempt == attempt.second && row.state == store::UploadState::stored &&
        row.place == place_ && (files.empty() || files.contains(row.file)))
      newest[track_of(row)] = std::max(newest[track_of(row)], row.id);
  for (const store::Upload& row : **rows) {
    if (row.attempt != attempt.second || row.state == store::UploadState::leaving) continue;
    const auto found = newest.find(track_of(row));
    const bool replaced = found != newest.end() && found->second != row.id;
    const bool ended_never = row.state == store::UploadState::begun;
    if (!replaced && !ended_never) continue;
    if (auto failure = release_row(row.id)) return failure;
  }
  return std::nullopt;
}

// --- Local files ---

void Uploads::remove_idle() {
  std::vector<Attempt> due;
  {
    const std::lock_guard lock(mutex_);
    const auto now = Clock::now();
    const auto keep = std::max<milliseconds>(settings_.local_idle, reader_pause);
    std::erase_if(used_, [&](const auto& one) { return one.second + keep <= now; });
    for (auto& [attempt, time] : here_) {
      const auto read = used_.find(attempt.first);
      if (read != used_.end()) time = std::max(time, read->second + keep);
      if (time <= now) due.push_back(attempt);
    }
    for (const Attempt& attempt : due) here_.erase(attempt);
  }
  for (const Attempt& attempt : due) {
    if (gate_.enter(attempt.first, Gate::Work::transfer)) {
      remove_local(attempt);
      gate_.leave(attempt.first);
      continue;
    }
    const std::lock_guard lock(mutex_);
    here_[attempt] = Clock::now() + held_pause;
  }
}

/// Only what the bucket has: the rows are read again.
void Uploads::remove_local(const Attempt& attempt) {
  const auto rows = calls_.wait_for<StoreResult<Rows>>(
      [&](auto done) { store_.uploads_of(attempt.first, {reader}, done); });
  if (!rows || !*rows) return;
  for (const store::Upload& row : **rows) {
    if (row.attempt != attempt.second || row.state != store::UploadState::stored ||
        row.place != place_)
      continue;
    const fs::path path = path_of(row.session_id, row.file);
    std::error_code ec;
    const auto bytes = fs::file_size(path, ec);
    if (ec || static_cast<std::int64_t>(bytes) != row.bytes) continue;
    const auto remove = [path] {
      std::error_code ignored;
      fs::remove(path, ignored);
    };
    recordings_ ? recordings_->without_readers(row.session_id, remove) : remove();
  }
}

}  // namespace verbatim::bucket
