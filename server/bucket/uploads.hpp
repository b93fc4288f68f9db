// Keeps recordings in a bucket (docs/recording.md). It uploads the files of finished attempts, and
// checks each object before its local file may go. It fetches files back for readers, and removes
// objects with their session or recording.
//
// The work is derived from rows of the store (storage/store/upload_store.hpp) and from files, so it
// goes on after any end of the process. One thread uploads; another fetches and removes. Nothing
// else waits for them, except a reader for its file and an erasure for its session.
#pragma once

#include <array>
#include <atomic>
#include <chrono>
#include <condition_variable>
#include <cstdint>
#include <deque>
#include <filesystem>
#include <functional>
#include <map>
#include <memory>
#include <mutex>
#include <optional>
#include <set>
#include <string>
#include <string_view>
#include <thread>
#include <utility>
#include <vector>

#include "base/backoff.hpp"
#include "base/blocking_calls.hpp"
#include "base/log.hpp"
#include "config/settings.hpp"
#include "server/bucket/gate.hpp"
#include "server/bucket/objects.hpp"
#include "server/recording/track_files.hpp"
#include "server/relay/recordings.hpp"
#include "server/relay/remote_audio.hpp"
#include "storage/store/upload_store.hpp"

namespace verbatim::relay {
class MetricsPage;
}  // namespace verbatim::relay

namespace verbatim::bucket {

/// The numbers index the counters of metrics.
enum class Event : std::uint8_t {
  uploaded = 0,
  upload_failed = 1,
  removed = 2,
  removal_failed = 3,
  fetched = 4,
  fetch_failed = 5,
};
inline constexpr std::size_t event_count = 6;

class Uploads final : public relay::RemoteAudio {
 public:
  /// Starts the threads. All references must outlive it. Throws std::runtime_error if libcurl
  /// cannot be initialised.
  /// `recordings`: null: there are none here.
  Uploads(const config::Settings& settings, store::UploadStore& store,
          relay::Recordings* recordings, Log& log);
  /// Null if there is no bucket, and no row of an earlier one.
  static std::unique_ptr<Uploads> start_if_any(const config::Settings& settings,
                                               store::UploadStore& store,
                                               relay::Recordings* recordings, Log& log);
  ~Uploads() override;
  /// Ends the threads; a call in progress is broken off. All else can still be called.
  void stop();

  void hold(const std::string& session_id, std::function<void()> done) override;
  void release(const std::string& session_id) override;
  void offer(const std::string& session_id, int attempt) override;
  void give_up(const std::string& session_id, std::optional<int> attempt,
               store::Done<std::int64_t> done) override;
  void when_removed(const std::string& session_id, std::function<void()> gone) override;
  void bring_back(const std::string& session_id, int attempt,
                  std::function<void(std::optional<recording::Trouble>)> done) override;
  void used(const std::string& session_id) override;
  void kept(store::Done<Attempts> done) override;
  void kept_before(TimeMs time, store::Done<std::vector<std::string>> done) override;

  /// `uploads`: null: there are none.
  static void add_metrics(relay::MetricsPage& page, const Uploads* uploads);

 private:
  using Clock = std::chrono::steady_clock;
  using Attempt = std::pair<std::string, int>;
  using Rows = store::UploadStore::Uploads;
  using Back = std::function<void(std::optional<recording::Trouble>)>;
  struct Waiting {
    Clock::time_point due{};
    int failures = 0;
    std::uint64_t bytes = 0;
    TimeMs since = 0;  ///< when its audio ended
  };
  struct Fetch {
    Attempt attempt;
    Back done;
  };
  /// The pauses after failed calls.
  struct Pause {
    Backoff backoff;
    Clock::time_point until{};
    Clock::time_point asked_until{};
  };

  void wake();
  /// Waits until the time, or news after those that were seen.
  void wait_until(Clock::time_point time, std::uint64_t& seen);
  bool must_stop(const std::string& session_id) const;
  void count(Event event) { ++counts_[static_cast<std::size_t>(event)]; }
  bool is_off() const { return !objects_; }
  Clock::time_point paused_until(const Pause& pause) const;
  void take_pause(Pause& pause, const Failure& failure);
  void succeeded(Pause& pause);
  std::filesystem::path path_of(const std::string& session_id, const std::string& file) const;

  // The thread that uploads: upload_attempt.cpp.
  void run_uploads();
  void take_begun();
  std::optional<Attempt> next_attempt();
  Clock::time_point next_upload() const;
  void work_on(const Attempt& attempt);
  Outcome upload(const Attempt& attempt);
  Outcome upload_file(const Attempt& attempt, const std::string& file, const Rows& rows);
  Outcome send(const store::Upload& row, const FileToPut& file, bool again);
  Outcome drop_stale(const Attempt& attempt, const std::set<std::string>& files);
  Outcome release_row(std::int64_t id);
  void remove_idle();
  void remove_local(const Attempt& attempt);

  // The thread for what others ask: upload_requests.cpp.
  void run_requests();
  bool fetch_one();
  std::optional<recording::Trouble> fetch(const Attempt& attempt);
  std::optional<recording::Trouble> fetch_file(const store::Upload& row);
  void remove_some();
  Outcome remove_object(const store::Upload& row);
  Rows missing_of(const Attempt& attempt, const Rows& rows) const;
  bool is_local(const store::Upload& row, const std::vector<recording::TrackFile>& files) const;
  void report_removed();

  const config::Bucket settings_;
  const std::string place_;
  const std::filesystem::path directory_;
  const std::size_t free_space_min_;
  store::UploadStore& store_;
  relay::Recordings* const recordings_;
  Log& log_;
  std::unique_ptr<Objects> objects_;     ///< of the thread that uploads; null: no bucket is set
  std::unique_ptr<Objects> on_request_;  ///< of the other one
  Gate gate_;
  std::array<std::atomic<std::uint64_t>, event_count> counts_{};
  std::atomic<std::uint64_t> bytes_sent_{0};
  std::atomic<std::uint64_t> leaving_{0};
  std::atomic<bool> stopping_{false};
  std::atomic<bool> reader_came_{false};  ///< a removal gives way to it
  BlockingCalls calls_;                   ///< of the store

  mutable std::mutex mutex_;
  std::condition_variable changed_;
  std::uint64_t news_ = 0;
  std::map<Attempt, Waiting> offered_;
  std::deque<Fetch> fetches_;
  std::map<std::string, std::vector<std::function<void()>>> when_removed_;
  std::set<std::string> removed_from_;  ///< sessions to look at for when_removed_
  std::map<std::string, Clock::time_point> used_;
  std::map<Attempt, Clock::time_point> here_;  ///< both here and there, by the time they may go
  Pause uploads_;
  Pause removals_;
  Clock::time_point next_removals_{};  ///< when leaving objects are looked for

  std::thread uploader_;
  std::thread requests_;
};

/// The service and the bucket, as rows name them.
std::string place_of(const config::Bucket& settings);

}  // namespace verbatim::bucket
