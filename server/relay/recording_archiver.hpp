// Archives the recordings of final attempts, one file at a time on a thread of the lowest priority,
// and removes recordings that are of no more use (recording.delete_when).
//
// A failed attempt is tried again, later each time; its raw files stay. Erasures come first: they
// break off the work on their session.
#pragma once

#include <atomic>
#include <boost/asio/thread_pool.hpp>
#include <chrono>
#include <cstdint>
#include <filesystem>
#include <functional>
#include <map>
#include <memory>
#include <mutex>
#include <optional>
#include <set>
#include <string>
#include <vector>

#include "base/log.hpp"
#include "server/net/async.hpp"
#include "server/recording/recorded_tracks.hpp"
#include "server/recording/track_archive.hpp"
#include "server/relay/remote_audio.hpp"
#include "storage/store/recording_store.hpp"
#include "storage/store/session_store.hpp"

namespace verbatim::relay {

class RecordingArchiver {
 public:
  struct Options {
    std::optional<audio::Format> format;  ///< none: the bytes as they came
    bool delete_when_complete = false;
    std::chrono::milliseconds retry_min{60'000};  ///< after the first failure
    std::size_t free_space_min = 0;               ///< recording.free_space_min
  };
  /// Runs `work` unless the session is being recorded; no recording of it begins meanwhile.
  using IfClosed = std::function<void(const std::string& session_id, std::function<void()> work)>;

  /// The references must outlive it.
  RecordingArchiver(Options options, recording::RecordedTracks& tracks, Log& log,
                    IfClosed if_closed);
  ~RecordingArchiver();

  /// Before begin(), and for good: attempts are offered to it when they are archived.
  void keep_elsewhere(RemoteAudio& remote) { remote_ = &remote; }
  /// Begins with what earlier processes have left, until the executor stops.
  void begin(const net::Executor& executor, store::SessionStore& sessions,
             store::RecordingStore& recorded);
  /// Any thread. The files of this attempt have been closed: it may be final.
  void expect(const std::string& session_id, int attempt);
  /// Any thread. Runs `work`, now or on the thread of the archive, while nothing of the session is
  /// archived, read or kept open.
  void without(const std::string& session_id, std::function<void()> work);
  /// Breaks off what is under way, and waits for the thread.
  void finish();

  struct Counts {
    std::uint64_t archived;   ///< tracks
    std::uint64_t failed;     ///< attempts, each time
    std::uint64_t bytes_in;   ///< of raw files
    std::uint64_t bytes_out;  ///< of archives
    std::uint64_t waiting;    ///< attempts
  };
  Counts counts() const { return {archived_, failed_, bytes_in_, bytes_out_, waiting_}; }

 private:
  struct Attempt {
    std::string session_id;
    int number = 1;
  };
  struct Job {
    Attempt attempt;
    int looks = 0;  ///< without success
    int failures = 0;
    bool archived = false;  ///< it stays for recording.delete_when alone
  };
  /// By the time of the next try.
  using Jobs = std::multimap<net::Clock::time_point, Job>;
  struct Archived {
    bool stopped = false;
    std::optional<recording::Trouble> trouble;
  };

  bool has_work() const;
  std::vector<Attempt> look_through();
  void look_into(const std::string& session_id, std::vector<Attempt>& found);
  net::Awaitable<void> run(net::Executor executor, store::SessionStore& sessions,
                           store::RecordingStore& recorded,
                           std::shared_ptr<net::AsyncEvent> changed);
  void add(Jobs& jobs, Job job, std::chrono::milliseconds pause);
  void take_expected(Jobs& jobs);
  net::Awaitable<std::optional<std::chrono::milliseconds>> work_on(net::Executor executor,
                                                                   store::SessionStore& sessions,
                                                                   store::RecordingStore& recorded,
                                                                   Job& job);
  net::Awaitable<bool> is_complete(net::Executor executor, store::SessionStore& sessions,
                                   const Attempt& attempt);
  net::Awaitable<std::optional<std::chrono::milliseconds>> remove_complete(net::Executor executor,
                                                                           Job& job);
  net::Awaitable<void> add_those_elsewhere(net::Executor executor, Jobs& jobs);
  std::chrono::milliseconds again_after_failure(Job& job, const std::string& why);
  bool claim(const std::string& session_id);
  void release();
  Archived archive(const std::string& session_id, const store::RecordedAttempt& attempt);
  Archived remove(const Attempt& attempt);
  std::uint64_t room_left() const;

  const Options options_;
  recording::RecordedTracks& tracks_;
  Log& log_;
  const IfClosed if_closed_;
  const std::filesystem::file_time_type constructed_ =
      std::filesystem::file_time_type::clock::now();
  RemoteAudio* remote_ = nullptr;  ///< null: recordings are kept only here
  std::atomic<std::uint64_t> archived_{0};
  std::atomic<std::uint64_t> failed_{0};
  std::atomic<std::uint64_t> bytes_in_{0};
  std::atomic<std::uint64_t> bytes_out_{0};
  std::atomic<std::uint64_t> waiting_{0};
  std::atomic<bool> stopping_{false};
  std::atomic<bool> broken_off_{false};  ///< the work under way
  std::mutex mutex_;
  std::string current_;              ///< session whose files are being changed; empty: none
  std::multiset<std::string> held_;  ///< sessions that without() has
  std::vector<Attempt> expected_;
  std::function<void()> announce_;  ///< empty before begin()
  boost::asio::thread_pool thread_{1};
};

}  // namespace verbatim::relay
