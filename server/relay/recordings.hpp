// The files of recorded audio: SESSION/ATTEMPT.user.pcm and SESSION/ATTEMPT.assistant.pcm in
// recording.dir, in the conversation's own formats and without gaps (docs/recording.md). After the
// attempt they may be archived in another form.
//
// A session appends on its own thread: a write goes into the kernel's memory and is not synced.
// Reads, erasures and the retention run on one other thread, exports in a compressed format on a
// second one of low priority, the archive on a third. A file that fails, or a disk that is nearly
// full, ends the recording of that session; its conversation goes on.
#pragma once

#include <atomic>
#include <boost/asio/thread_pool.hpp>
#include <chrono>
#include <cstddef>
#include <cstdint>
#include <filesystem>
#include <functional>
#include <memory>
#include <mutex>
#include <optional>
#include <string>
#include <unordered_map>
#include <vector>

#include "base/log.hpp"
#include "config/settings.hpp"
#include "server/net/async.hpp"
#include "server/recording/recorded_tracks.hpp"
#include "server/relay/audio_timeline.hpp"
#include "server/relay/recording_archiver.hpp"
#include "session/session_recorder.hpp"
#include "storage/store/recording_store.hpp"
#include "storage/store/session_store.hpp"

namespace verbatim::relay {

class MetricsPage;

/// The recorded audio of an attempt, for reads of any part of it.
struct RecordedAudio {
  std::shared_ptr<const AudioTimeline> timeline;
  std::string session_id;
  int attempt = 1;
  bool lossy = false;  ///< an archive has other samples than those that were recorded
};

/// The audio of an attempt, as its files have it.
struct MeasuredAudio {
  TrackSizes sizes;    ///< bytes of the raw files, also if they are archived; 0: none
  bool lossy = false;  ///< the archive has other samples than those that were recorded
};

class Recordings {
 public:
  static constexpr std::size_t files_of_a_session = 2;

  struct Options {
    std::filesystem::path directory;
    std::size_t free_space_min = 0;          ///< bytes; below it recording stops
    std::chrono::milliseconds retention{0};  ///< 0: as long as the session
    std::size_t exports_max = 1;             ///< in a compressed format, at once
    recording::MasterKeys keys = {};         ///< none: archives are not encrypted
    RecordingArchiver::Options archive = {};
  };
  Recordings(Options options, Log& log);
  /// Null if nothing is recorded and there are no earlier recordings.
  static std::unique_ptr<Recordings> open_if_any(const config::Settings& settings, Log& log);

  /// Before the first use, and for good: recordings are kept there as well.
  void keep_elsewhere(RemoteAudio& remote) {
    remote_ = &remote;
    archiver_.keep_elsewhere(remote);
  }

  /// The files of an attempt, made with its first audio. They go on where an earlier process left
  /// them.
  std::shared_ptr<session::AudioSink> open(const std::string& session_id, int attempt);

  // Any thread; `done` is called on the thread of the files, that of erase() also on the archive's.
  // measure() first brings back what is only elsewhere; its `done` is called on any thread.
  /// Removes all that was recorded of a session. False: something is still there.
  void erase(const std::string& session_id, std::function<void(bool)> done);
  using Measured = tl::expected<MeasuredAudio, recording::Trouble>;
  void measure(const std::string& session_id, int attempt, std::function<void(Measured)> done);
  /// A part of the WAV file. nullopt: the audio was erased or cut meanwhile, which is logged.
  void read(const RecordedAudio& audio, std::uint64_t from, std::size_t count,
            std::function<void(std::optional<std::string>)> done);

  /// Runs `work` while nothing of the session is archived or kept open.
  void without_readers(const std::string& session_id, std::function<void()> work) {
    archiver_.without(session_id, std::move(work));
  }
  /// Runs work on the folder of a session, which may not exist. Nothing is erased meanwhile.
  void in_folder(const std::string& session_id,
                 std::function<void(const std::filesystem::path&)> work);

  /// One of recording.exports_max, until it is destroyed.
  class ExportPermit {
   public:
    explicit ExportPermit(std::atomic<std::size_t>& given) : given_(given) {}
    ~ExportPermit() { --given_; }
    ExportPermit(const ExportPermit&) = delete;
    ExportPermit& operator=(const ExportPermit&) = delete;

   private:
    std::atomic<std::size_t>& given_;
  };
  /// Null: all are given.
  std::unique_ptr<ExportPermit> permit_export();
  /// Runs a piece of an export's work in turn with those of the others.
  void encode(std::function<void()> work);
  /// Frames of the audio, as AudioTimeline::samples() gives them; nullopt as for read(). Waits for
  /// the disk: in the work of encode() only.
  std::optional<std::string> samples(const RecordedAudio& audio, std::uint64_t first,
                                     std::uint64_t count);
  /// An export ends too early for another reason.
  void export_failed(const RecordedAudio& audio, const std::string& why);

  /// Begins to remove what was recorded of sessions that ended before the retention, and to
  /// archive final attempts. It goes on until the executor stops.
  void keep(const net::Executor& executor, store::SessionStore& sessions,
            store::RecordingStore& recorded);
  /// Waits for the threads: nothing is asked of them any more. Sessions may still have files open.
  void finish();

  std::uint64_t failures() const { return failures_; }
  RecordingArchiver::Counts archive_counts() const { return archiver_.counts(); }

 private:
  class Sink;
  void closed(const std::string& session_id, int attempt);
  bool has_room();
  void failed(const std::string& session_id, const std::string& why);
  using Part = std::function<std::optional<std::string>(const AudioTimeline::ReadTrack&)>;
  std::optional<std::string> read_part(const RecordedAudio& audio, const Part& part);
  void measure_here(const std::string& session_id, int attempt, std::function<void(Measured)> done);
  net::Awaitable<bool> remove_one_expired(net::Executor executor, const std::string& id);
  bool is_as_measured(const RecordedAudio& audio);
  void erase_unless_open(const std::string& session_id, std::function<void(bool)> done);
  std::vector<std::string> left_unwritten();
  net::Awaitable<void> look_for_expired(net::Executor executor, store::SessionStore& sessions);
  net::Awaitable<void> remove_expired(net::Executor executor, store::SessionStore& sessions);

  const Options options_;
  Log& log_;
  std::atomic<std::uint64_t> failures_{0};
  std::atomic<std::int64_t> space_seen_ms_{-1'000'000};
  std::atomic<bool> has_room_{true};
  std::mutex mutex_;
  std::unordered_map<std::string, int> open_;  ///< sessions that are being recorded
  std::atomic<std::size_t> exports_{0};
  recording::RecordedTracks recorded_;
  RecordingArchiver archiver_;
  RemoteAudio* remote_ = nullptr;  ///< null: recordings are kept only here
  boost::asio::thread_pool files_{1};
  boost::asio::thread_pool encoder_{1};
};

/// recording.dir, or its default.
std::filesystem::path recordings_dir(const config::Settings& settings);
/// Removes all that was recorded of a session. False: something is still there.
bool erase_recording(const std::filesystem::path& directory, const std::string& session_id);
/// `recordings`: null: there are none.
void add_recording_metrics(MetricsPage& page, const Recordings* recordings);

}  // namespace verbatim::relay
