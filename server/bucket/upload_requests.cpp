// The thread for what others ask: files that readers wait for, and objects that have to go.
#include <algorithm>
#include <system_error>

#include "base/clock.hpp"
#include "base/thread_name.hpp"
#include "server/bucket/store_failure.hpp"
#include "server/bucket/uploads.hpp"
#include "server/relay/free_space.hpp"

namespace verbatim::bucket {

namespace {

namespace fs = std::filesystem;
using recording::Trouble;
using recording::TroubleKind;
using std::chrono::milliseconds;
using store::StoreResult;

constexpr std::size_t removed_at_once_max = 1'000;
/// A session that is busy in the other thread is looked at again after that.
constexpr milliseconds busy_pause{200};
/// The same part as recordings leave free on a small disk.

}  // namespace

void Uploads::run_requests() {
  name_this_thread("audio-bucket");
  std::uint64_t seen = 0;
  while (!stopping_) {
    if (fetch_one()) continue;
    remove_some();
    report_removed();
    Clock::time_point next;
    {
      const std::lock_guard lock(mutex_);
      next = std::max(next_removals_, removals_.until);
      if (!fetches_.empty()) next = std::min(next, Clock::now() + busy_pause);
    }
    wait_until(next, seen);
  }
}

// --- Files for readers ---

/// False: there is none to fetch now.
bool Uploads::fetch_one() {
  std::optional<Fetch> job;
  reader_came_ = false;
  {
    const std::lock_guard lock(mutex_);
    if (fetches_.empty()) return false;
    job = std::move(fetches_.front());
    fetches_.pop_front();
  }
  auto trouble = fetch(job->attempt);
  if (stopping_) return false;
  if (!trouble || trouble->kind != TroubleKind::none_there) {
    job->done(std::move(trouble));
    return true;
  }
  // Its session is in hand.
  const std::lock_guard lock(mutex_);
  fetches_.push_back(*std::move(job));
  return false;
}

/// none_there: it cannot be done now.
std::optional<Trouble> Uploads::fetch(const Attempt& attempt) {
  const std::string& session_id = attempt.first;
  const int number = attempt.second;
  const auto rows = calls_.wait_for<StoreResult<Rows>>(
      [&](auto done) { store_.uploads_of(session_id, {reader}, done); });
  if (!rows) return std::nullopt;
  if (!*rows) return Trouble{TroubleKind::elsewhere, rows->error().what()};
  const Rows missing = missing_of(attempt, **rows);
  if (missing.empty() || gate_.is_held(session_id)) return std::nullopt;
  if (!gate_.enter(session_id, Gate::Work::transfer)) return Trouble{TroubleKind::none_there, ""};
  std::optional<Trouble> trouble;
  for (const store::Upload& row : missing) {
    // A track may have an older form, too.
    if (is_local(row, recording::list_tracks(directory_, session_id))) continue;
    trouble = fetch_file(row);
    if (trouble) break;
  }
  gate_.leave(session_id);
  if (gate_.is_held(session_id)) return std::nullopt;
  if (trouble) {
    count(Event::fetch_failed);
    log_.error("recording.not_fetched",
               {{"session", session_id}, {"attempt", number}, {"why", trouble->why}});
    return trouble;
  }
  used(session_id);
  if (!settings_.delete_local) return std::nullopt;
  const std::lock_guard lock(mutex_);
  here_[attempt] = Clock::now() + settings_.local_idle;
  ++news_;
  changed_.notify_all();
  return std::nullopt;
}

std::optional<Trouble> Uploads::fetch_file(const store::Upload& row) {
  const auto elsewhere = [&](const std::string& why) {
    return Trouble{TroubleKind::elsewhere, row.file + " is in " + row.place + ": " + why};
  };
  if (row.place != place_)
    return elsewhere("recording.s3_bucket and recording.s3_endpoint name another place");
  const auto track = recording::track_file(row.session_id, row.file);
  const fs::path folder = recording::folder_of(directory_, row.session_id);
  std::error_code ec;
  if (!fs::exists(folder, ec)) {
    fs::create_directories(folder, ec);
    fs::permissions(folder, fs::perms::owner_all, ec);
  }
  const auto space = fs::space(folder, ec);
  if (!ec && space.available < static_cast<std::uint64_t>(row.bytes) +
                                   relay::free_space_of_audio(free_space_min_, space.capacity))
    return elsewhere("the disk has too little free space for it");
  const fs::path unfinished = recording::unfinished_file_of(directory_, track->track);
  fs::remove(unfinished, ec);
  recording::DiskFile file = recording::DiskFile::create(unfinished);
  if (!file) return elsewhere(recording::system_trouble(unfinished.filename().string()).why);
  Sha256 digest;
  std::uint64_t bytes = 0;
  const auto take = [&](std::string_view piece) {
    bytes += piece.size();
    digest.add(piece);
    return bytes <= static_cast<std::uint64_t>(row.bytes) && file.append(piece);
  };
  const auto failure = on_request_->get(row.key, take, [&] { return must_stop(row.session_id); });
  std::optional<Trouble> trouble;
  if (failure && failure->missing)
    trouble = {TroubleKind::damaged, row.place + " has no object " + row.key + " any more"};
  else if (failure)
    trouble = elsewhere(failure->why);
  else if (bytes != static_cast<std::uint64_t>(row.bytes) || digest.finish() != row.sha256)
    trouble = {TroubleKind::damaged, "the object " + row.key + " is not as it was uploaded"};
  else if (!file.sync())
    trouble = elsewhere(recording::system_trouble(row.file).why);
  if (!trouble) {
    fs::rename(unfinished, path_of(row.session_id, row.file), ec);
    if (ec) trouble = elsewhere(ec.message());
  }
  if (trouble) {
    fs::remove(unfinished, ec);
    return trouble;
  }
  recording::sync_folder(folder);
  count(Event::fetched);
  log_.info("recording.fetched",
            {{"session", row.session_id}, {"attempt", row.attempt}, {"file", row.file}});
  return std::nullopt;
}

// --- Objects that have to go ---

void Uploads::remove_some() {
  {
    const std::lock_guard lock(mutex_);
    const auto now = Clock::now();
    if (now < removals_.until || now < next_removals_) return;
    next_removals_ = now + settings_.retry_max;
  }
  const auto rows = calls_.wait_for<StoreResult<Rows>>([&](auto done) {
    store_.uploads_in(store::UploadState::leaving, removed_at_once_max, {reader}, done);
  });
  if (!rows) return;
  if (!*rows) return take_pause(removals_, {.why = rows->error().what()});
  leaving_ = (*rows)->size();
  Clock::time_point next = Clock::time_point::max();
  std::size_t elsewhere = 0;
  for (const store::Upload& row : **rows) {
    if (stopping_) return;
    if (row.place != place_) {
      ++elsewhere;
      calls_.wait_for<StoreResult<>>(
          [&](auto done) { store_.release_upload(row.id, now().wall, done); });
      continue;
    }
    if (!gate_.enter(row.session_id, Gate::Work::removal)) {
      next = Clock::now() + busy_pause;
      continue;
    }
    const Outcome failure = remove_object(row);
    gate_.leave(row.session_id);
    if (!failure) continue;
    if (failure->stopped) {
      next = Clock::time_point{};
      break;
    }
    count(Event::removal_failed);
    log_.error("recording.not_removed", {{"session", row.session_id},
                                         {"object", row.key},
                                         {"why", failure->why},
                                         {"now", "it is tried again until it succeeds"}});
    take_pause(removals_, *failure);
    next = Clock::time_point{};
    break;
  }
  if (elsewhere > 0)
    log_.error("recording.not_removed",
               {{"objects", elsewhere},
                {"why", "they are in another bucket than recording.s3_bucket names"},
                {"now", "they stay there until it is named again"}});
  if ((*rows)->size() == removed_at_once_max && elsewhere == 0) next = Clock::time_point{};
  const std::lock_guard lock(mutex_);
  next_removals_ = std::min(next_removals_, next);
}

Outcome Uploads::remove_object(const store::Upload& row) {
  const auto failure = on_request_->remove(row.key, static_cast<std::uint64_t>(row.bytes),
                                           [this] { return stopping_ || reader_came_; });
  if (failure) return failure;
  const auto forgotten =
      calls_.wait_for<StoreResult<>>([&](auto done) { store_.forget_upload(row.id, done); });
  if (auto trouble = failure_in(forgotten)) return trouble;
  --leaving_;
  count(Event::removed);
  succeeded(removals_);
  log_.info("recording.removed", {{"session", row.session_id}, {"object", row.key}});
  const std::lock_guard lock(mutex_);
  if (when_removed_.contains(row.session_id)) removed_from_.insert(row.session_id);
  return std::nullopt;
}

/// Erasures that wait until the last object of their session is gone.
void Uploads::report_removed() {
  std::set<std::string> sessions;
  {
    const std::lock_guard lock(mutex_);
    sessions.swap(removed_from_);
  }
  for (const std::string& id : sessions) {
    const auto rows = calls_.wait_for<StoreResult<Rows>>(
        [&](auto done) { store_.uploads_of(id, {reader}, done); });
    if (!rows) return;
    const bool left = !*rows || std::any_of((*rows)->begin(), (*rows)->end(), [](const auto& row) {
      return row.state == store::UploadState::leaving;
    });
    if (left) continue;
    std::vector<std::function<void()>> calls;
    {
      const std::lock_guard lock(mutex_);
      calls = std::move(when_removed_[id]);
      when_removed_.erase(id);
    }
    for (const auto& call : calls) call();
  }
}

}  // namespace verbatim::bucket
