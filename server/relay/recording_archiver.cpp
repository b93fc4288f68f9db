#include "server/relay/recording_archiver.hpp"

#include <algorithm>
#include <boost/asio/co_spawn.hpp>
#include <boost/asio/detached.hpp>
#include <boost/asio/post.hpp>
#include <system_error>
#include <utility>

#include "base/backoff.hpp"
#include "base/thread_name.hpp"
#include "server/net/from_callback.hpp"
#include "server/relay/free_space.hpp"

namespace verbatim::relay {

namespace {

namespace fs = std::filesystem;
using std::chrono::milliseconds;

/// The lowest priority there is.
constexpr int archive_nice = 19;
/// The pauses double up to this.
constexpr milliseconds pause_max{3'600'000};
/// An attempt that was expected but is not final: its client may come back.
constexpr milliseconds not_final_pause{5'000};
constexpr milliseconds not_final_pause_max{600'000};
/// A transcript becomes complete when a writer posts a copy; nothing announces that here.
constexpr milliseconds incomplete_pause{60'000};
/// An archive that was not read for so long is closed.
constexpr milliseconds idle_max{60'000};
/// An archive may take half of the room that recording.free_space_min keeps, since it gives back
/// more than it takes.
constexpr unsigned part_of_room = 2;

}  // namespace

RecordingArchiver::RecordingArchiver(Options options, recording::RecordedTracks& tracks, Log& log,
                                     IfClosed if_closed)
    : options_(options), tracks_(tracks), log_(log), if_closed_(std::move(if_closed)) {
  boost::asio::post(thread_, [] {
    name_this_thread("audio-archive");
    give_way(archive_nice);
  });
}

RecordingArchiver::~RecordingArchiver() { finish(); }

bool RecordingArchiver::has_work() const {
  return options_.format || !tracks_.masters().empty() || options_.delete_when_complete ||
         remote_ != nullptr;
}

void RecordingArchiver::begin(const net::Executor& executor, store::SessionStore& sessions,
                              store::RecordingStore& recorded) {
  const auto changed = std::make_shared<net::AsyncEvent>(executor);
  {
    const std::lock_guard lock(mutex_);
    announce_ = [executor, changed] {
      boost::asio::post(executor, [changed] { changed->notify(); });
    };
  }
  boost::asio::co_spawn(executor, run(executor, sessions, recorded, changed),
                        boost::asio::detached);
}

void RecordingArchiver::expect(const std::string& session_id, int attempt) {
  if (!has_work()) return;
  const std::lock_guard lock(mutex_);
  expected_.push_back({session_id, attempt});
  if (announce_) announce_();
}

void RecordingArchiver::without(const std::string& session_id, std::function<void()> work) {
  {
    const std::lock_guard lock(mutex_);
    if (current_ == session_id) {
      broken_off_ = true;
      boost::asio::post(thread_, [this, session_id, work = std::move(work)]() mutable {
        without(session_id, std::move(work));
      });
      return;
    }
    held_.insert(session_id);
  }
  tracks_.forget(session_id);
  work();
  tracks_.forget(session_id);  // a read may have opened a file before it was removed
  const std::lock_guard lock(mutex_);
  held_.erase(held_.find(session_id));
}

void RecordingArchiver::finish() {
  stopping_ = true;
  thread_.join();
}

// --- On the executor's thread ---

net::Awaitable<void> RecordingArchiver::run(net::Executor executor, store::SessionStore& sessions,
                                            store::RecordingStore& recorded,
                                            std::shared_ptr<net::AsyncEvent> changed) {
  Jobs jobs;
  const auto look = [this](auto done) {
    boost::asio::post(thread_, [this, done] { done(look_through()); });
  };
  const auto left = co_await net::from_callback<std::vector<Attempt>>(executor, look);
  for (const Attempt& one : left) add(jobs, {one}, {});
  if (remote_ && options_.delete_when_complete) co_await add_those_elsewhere(executor, jobs);
  while (true) {
    take_expected(jobs);
    tracks_.close_idle(idle_max);
    const auto now = net::Clock::now();
    if (jobs.empty() || jobs.begin()->first > now) {
      const auto next = jobs.empty() ? net::Clock::time_point::max() : jobs.begin()->first;
      co_await changed->wait_until(std::min(next, now + idle_max));
      continue;
    }
    Job job = std::move(jobs.begin()->second);
    jobs.erase(jobs.begin());
    const bool waited = !job.archived;
    const auto pause = co_await work_on(executor, sessions, recorded, job);
    if (waited) --waiting_;
    if (pause) add(jobs, std::move(job), *pause);
  }
}

void RecordingArchiver::add(Jobs& jobs, Job job, milliseconds pause) {
  if (!job.archived) ++waiting_;
  jobs.emplace(net::Clock::now() + pause, std::move(job));
}

void RecordingArchiver::take_expected(Jobs& jobs) {
  const std::lock_guard lock(mutex_);
  for (Attempt& one : expected_) add(jobs, {std::move(one)}, {});
  expected_.clear();
}

/// The time until it is worked on again; nullopt: it is done.
net::Awaitable<std::optional<milliseconds>> RecordingArchiver::work_on(
    net::Executor executor, store::SessionStore& sessions, store::RecordingStore& recorded,
    Job& job) {
  using Found = store::StoreResult<std::optional<store::RecordedAttempt>>;
  const Attempt& attempt = job.attempt;
  const auto find = [&](auto done) {
    recorded.read_recording(attempt.session_id, attempt.number, {"the archive"}, done);
  };
  const Found found = co_await net::from_callback<Found>(executor, find);
  if (!found) co_return again_after_failure(job, found.error().what());
  if (!*found) co_return std::nullopt;  // erased
  const store::RecordedAttempt& known = **found;
  if (known.status != transcript::SessionStatus::final)
    co_return doubled(not_final_pause, job.looks++, not_final_pause_max);
  if (options_.delete_when_complete && co_await is_complete(executor, sessions, attempt)) {
    co_return co_await remove_complete(executor, job);
  }
  const auto archiving = [&](auto done) {
    boost::asio::post(thread_,
                      [this, id = attempt.session_id, known, done] { done(archive(id, known)); });
  };
  const auto archived = co_await net::from_callback<Archived>(executor, archiving);
  if (archived.trouble) co_return again_after_failure(job, archived.trouble->why);
  if (archived.stopped) co_return options_.retry_min;
  if (remote_) remote_->offer(attempt.session_id, attempt.number);
  if (!options_.delete_when_complete) co_return std::nullopt;
  if (!std::exchange(job.archived, true)) job.looks = 0;
  co_return doubled(incomplete_pause, job.looks++, pause_max);
}

/// The time until it is tried again; nullopt: the audio is removed here, and elsewhere soon.
net::Awaitable<std::optional<milliseconds>> RecordingArchiver::remove_complete(
    net::Executor executor, Job& job) {
  const Attempt& attempt = job.attempt;
  const std::string& id = attempt.session_id;
  if (remote_) {
    const auto holding = [&](auto done) { remote_->hold(id, [done] { done(true); }); };
    co_await net::from_callback<bool>(executor, holding);
    const auto giving_up = [&](auto done) { remote_->give_up(id, attempt.number, done); };
    using GivenUp = store::StoreResult<std::int64_t>;
    const auto given_up = co_await net::from_callback<GivenUp>(executor, giving_up);
    if (!given_up) {
      remote_->release(id);
      co_return again_after_failure(job, given_up.error().what());
    }
  }
  const auto removing = [&](auto done) {
    boost::asio::post(thread_, [this, attempt, done] { done(remove(attempt)); });
  };
  const auto removed = co_await net::from_callback<Archived>(executor, removing);
  if (remote_) remote_->release(id);
  if (removed.trouble) co_return again_after_failure(job, removed.trouble->why);
  if (removed.stopped) co_return options_.retry_min;
  co_return std::nullopt;
}

/// Attempts whose files are not here any more still wait for their receipt.
net::Awaitable<void> RecordingArchiver::add_those_elsewhere(net::Executor executor, Jobs& jobs) {
  using Kept = store::StoreResult<RemoteAudio::Attempts>;
  const auto ask = [&](auto done) { remote_->kept(done); };
  const Kept kept = co_await net::from_callback<Kept>(executor, ask);
  if (!kept) {
    log_.error("recording.not_archived",
               {{"why", kept.error().what()}, {"now", "recordings in the bucket stay there"}});
    co_return;
  }
  std::set<std::pair<std::string, int>> known;
  for (const auto& [time, job] : jobs) known.emplace(job.attempt.session_id, job.attempt.number);
  for (const auto& [session_id, number] : *kept)
    if (known.emplace(session_id, number).second) add(jobs, {{session_id, number}}, {});
}

/// A store that cannot be read says so elsewhere; then it is not known.
net::Awaitable<bool> RecordingArchiver::is_complete(net::Executor executor,
                                                    store::SessionStore& sessions,
                                                    const Attempt& attempt) {
  using Found = store::StoreResult<std::optional<store::SessionSummary>>;
  const auto find = [&](auto done) {
    sessions.find_session(attempt.session_id, {"recording.delete_when"}, done);
  };
  const Found session = co_await net::from_callback<Found>(executor, find);
  if (!session || !*session) co_return false;
  for (const store::AttemptSummary& one : (*session)->attempts)
    if (one.number == attempt.number)
      co_return one.receipt&& one.receipt->complete && !one.receipt->tail_pending;
  co_return false;
}

milliseconds RecordingArchiver::again_after_failure(Job& job, const std::string& why) {
  ++failed_;
  const milliseconds pause = doubled(options_.retry_min, job.failures++, pause_max);
  log_.error("recording.not_archived", {{"session", job.attempt.session_id},
                                        {"attempt", job.attempt.number},
                                        {"why", why},
                                        {"again_in_s", pause.count() / 1000},
                                        {"now", "the audio stays as it is"}});
  return pause;
}

// --- On the thread of the archive ---

/// False: an erasure has it.
bool RecordingArchiver::claim(const std::string& session_id) {
  const std::lock_guard lock(mutex_);
  if (held_.contains(session_id)) return false;
  current_ = session_id;
  broken_off_ = false;
  return true;
}

void RecordingArchiver::release() {
  const std::lock_guard lock(mutex_);
  current_.clear();
}

std::uint64_t RecordingArchiver::room_left() const {
  std::error_code unknown;
  const auto space = fs::space(tracks_.directory(), unknown);
  return unknown ? 0 : free_space_of_audio(options_.free_space_min, space.capacity) / part_of_room;
}

RecordingArchiver::Archived RecordingArchiver::archive(const std::string& session_id,
                                                       const store::RecordedAttempt& attempt) {
  Archived result{.stopped = !claim(session_id), .trouble = {}};
  if (result.stopped) return result;
  std::uint64_t in = 0;
  std::uint64_t out = 0;
  for (const transcript::AudioTrack track : recording::tracks) {
    const recording::ArchiveOrder order{
        .directory = tracks_.directory(),
        .track = {session_id, attempt.number, track},
        .coding = recording::coding_of(attempt.runs, track, options_.format),
        .masters = tracks_.masters(),
        .room_left = room_left()};
    const auto done = recording::archive_track(order, [this] { return stopping_ || broken_off_; });
    if (!done) result.trouble = done.error();
    if (!done || done->bytes == 0) continue;
    ++archived_;
    in += done->raw_bytes;
    out += done->bytes;
  }
  result.stopped = stopping_ || broken_off_;
  bytes_in_ += in;
  bytes_out_ += out;
  release();
  if (out > 0)
    log_.info("recording.archived", {{"session", session_id},
                                     {"attempt", attempt.number},
                                     {"bytes_before", in},
                                     {"bytes", out}});
  return result;
}

RecordingArchiver::Archived RecordingArchiver::remove(const Attempt& attempt) {
  const std::string& id = attempt.session_id;
  Archived result{.stopped = !claim(id), .trouble = {}};
  if (result.stopped) return result;
  std::size_t removed = 0;
  for (const recording::TrackFile& one : recording::list_tracks(tracks_.directory(), id)) {
    if (one.track.attempt != attempt.number) continue;
    const fs::path file = one.unfinished
                              ? recording::unfinished_file_of(tracks_.directory(), one.track)
                              : recording::file_of(tracks_.directory(), one.track, one.form);
    std::error_code ec;
    if (fs::remove(file, ec)) ++removed;
    if (ec)
      result.trouble = {recording::TroubleKind::unreadable,
                        file.filename().string() + ": " + ec.message()};
  }
  std::error_code ignored;
  const fs::path folder = recording::folder_of(tracks_.directory(), id);
  fs::remove(recording::peaks_file_in(folder, attempt.number), ignored);
  tracks_.forget(id);
  if_closed_(id, [&] {
    if (!recording::list_tracks(tracks_.directory(), id).empty()) return;
    fs::remove_all(folder, ignored);  // the key
  });
  release();
  if (removed > 0 && !result.trouble)
    log_.info("recording.deleted", {{"session", id},
                                    {"attempt", attempt.number},
                                    {"why", "the transcript is complete (recording.delete_when)"}});
  return result;
}

/// Removes what an earlier process has not finished, and returns the attempts with work to do.
std::vector<RecordingArchiver::Attempt> RecordingArchiver::look_through() {
  std::vector<Attempt> found;
  std::size_t without_key = 0;
  std::string first_key;
  std::error_code ec;
  for (fs::directory_iterator entry(tracks_.directory(), ec), end;
       !ec && entry != end && !stopping_; entry.increment(ec)) {
    const auto session_id = recording::session_of(entry->path());
    if (!session_id) continue;
    look_into(*session_id, found);
    const auto key = recording::master_key_needed(tracks_.directory(), *session_id);
    if (!key || tracks_.masters().find(*key) != nullptr) continue;
    if (without_key++ == 0) first_key = *key;
  }
  if (without_key > 0)
    log_.error("recording.key_missing", {{"sessions", without_key},
                                         {"key", first_key},
                                         {"now", "their recordings cannot be read"}});
  return found;
}

void RecordingArchiver::look_into(const std::string& session_id, std::vector<Attempt>& found) {
  const bool claimed = claim(session_id);
  std::map<int, bool> attempts;  // whether there is work
  std::map<int, int> forms[std::size(recording::tracks)];
  for (const recording::TrackFile& one : recording::list_tracks(tracks_.directory(), session_id)) {
    const int number = one.track.attempt;
    if (one.unfinished) {
      const fs::path file = recording::unfinished_file_of(tracks_.directory(), one.track);
      std::error_code ec;
      const auto changed = fs::last_write_time(file, ec);
      // A newer one is being fetched from the bucket, for a reader.
      if (claimed && !ec && changed < constructed_) fs::remove(file, ec);
      continue;
    }
    const int files = ++forms[static_cast<std::size_t>(one.track.track)][number];
    const bool to_archive = one.form == recording::Form::raw && has_work();
    attempts[number] |=
        to_archive || files > 1 || options_.delete_when_complete || remote_ != nullptr;
  }
  if (claimed) release();
  for (const auto& [number, wanted] : attempts)
    if (wanted) found.push_back({session_id, number});
}

}  // namespace verbatim::relay
