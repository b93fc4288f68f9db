#include "server/relay/recordings.hpp"

#include <fcntl.h>
#include <sys/stat.h>
#include <unistd.h>

#include <algorithm>
#include <boost/asio/co_spawn.hpp>
#include <boost/asio/detached.hpp>
#include <boost/asio/post.hpp>
#include <cerrno>
#include <cstring>
#include <utility>

#include "base/clock.hpp"
#include "base/ids.hpp"
#include "base/thread_name.hpp"
#include "server/net/from_callback.hpp"
#include "server/relay/free_space.hpp"
#include "server/relay/metric_family.hpp"

namespace verbatim::relay {

namespace {

namespace fs = std::filesystem;
using recording::Track;
using recording::tracks;
using transcript::AudioTrack;

/// Interval of looks at the free space.
constexpr std::int64_t space_look_ms = 1000;
/// Interval of the search for expired recordings: a tenth of the retention within these.
constexpr std::chrono::milliseconds expired_look_min{1'000};
constexpr std::chrono::milliseconds expired_look_max{600'000};

/// Completes an odd number of bytes. Of PCM these end with half of a sample, of G.711 with a whole
/// one: nothing is cut off, and this byte can hardly be heard in any format.
constexpr char filling = '\xff';

/// Whether all audio of the folder was last written before that. An archive has its raw file's
/// time.
bool is_older(const fs::path& folder, const std::string& session_id, fs::file_time_type before) {
  std::error_code ec;
  for (fs::directory_iterator file(folder, ec), end; !ec && file != end; file.increment(ec)) {
    if (!recording::track_file(session_id, file->path().filename().string())) continue;
    if (fs::last_write_time(file->path(), ec) >= before) return false;
  }
  return !ec;
}

struct RecordingCounts {
  std::uint64_t failures = 0;
  RecordingArchiver::Counts archive = {};
};

constexpr MetricFamily<RecordingCounts> recording_rows[] = {
    {"verbatim_recording_failures_total",
     "Recordings that stopped because a file failed or the disk was nearly full.",
     MetricType::counter,
     [](const RecordingCounts& counts, MetricSamples& out) { out.add(counts.failures); }},
    {"verbatim_recording_archived_total",
     "Files of recorded audio that were archived, and attempts whose archive failed.",
     MetricType::counter,
     [](const RecordingCounts& counts, MetricSamples& out) {
       out.add({{"outcome", "archived"}}, counts.archive.archived);
       out.add({{"outcome", "failed"}}, counts.archive.failed);
     }},
    {"verbatim_recording_archive_bytes_total",
     "Bytes of audio before they were archived, and after.", MetricType::counter,
     [](const RecordingCounts& counts, MetricSamples& out) {
       out.add({{"form", "raw"}}, counts.archive.bytes_in);
       out.add({{"form", "archive"}}, counts.archive.bytes_out);
     }},
    {"verbatim_recording_archive_waiting",
     "Recorded attempts that wait for their end, or for the archive.", MetricType::gauge,
     [](const RecordingCounts& counts, MetricSamples& out) { out.add(counts.archive.waiting); }},
};

}  // namespace

/// The two files of an attempt. On the session's thread.
class Recordings::Sink final : public session::AudioSink {
 public:
  Sink(Recordings& owner, std::string session_id, int attempt)
      : owner_(owner), session_id_(std::move(session_id)), attempt_(attempt) {
    const recording::RecordedTracks& recorded = owner_.recorded_;
    for (const AudioTrack track : tracks) {
      File& one = of(track);
      const Track here{session_id_, attempt, track};
      one.path = recording::file_of(recorded.directory(), here, recording::Form::raw);
      const auto raw = recorded.raw_bytes(here);
      const std::int64_t size = raw.value_or(0);
      one.torn = size % 2 != 0;
      one.begins_at = size + (one.torn ? 1 : 0);
      // An older copy of the database may not know that the attempt has ended.
      archived_ |= !raw && recorded.exists(here);
    }
    const std::lock_guard lock(owner_.mutex_);
    ++owner_.open_[session_id_];
  }
  ~Sink() override {
    for (const AudioTrack track : tracks)
      if (of(track).descriptor >= 0) ::close(of(track).descriptor);
    owner_.closed(session_id_, attempt_);
  }
  Sink(const Sink&) = delete;
  Sink& operator=(const Sink&) = delete;

  std::int64_t begins_at(AudioTrack track) const override {
    return files_[static_cast<std::size_t>(track)].begins_at;
  }

  bool append(AudioTrack track, std::string_view bytes) override {
    File& one = of(track);
    if (archived_) return failed("the audio of this attempt is archived already");
    if (!owner_.has_room()) return failed("the disk is nearly full (recording.free_space_min)");
    if (one.descriptor < 0 && !open(one)) return failed(std::strerror(errno));
    while (!bytes.empty()) {
      const ssize_t written = ::write(one.descriptor, bytes.data(), bytes.size());
      if (written < 0 && errno == EINTR) continue;
      if (written <= 0) return failed(written < 0 ? std::strerror(errno) : "nothing was written");
      bytes.remove_prefix(static_cast<std::size_t>(written));
    }
    return true;
  }

 private:
  struct File {
    fs::path path;
    std::int64_t begins_at = 0;
    bool torn = false;  ///< an earlier process has left an odd number of bytes
    int descriptor = -1;
  };

  File& of(AudioTrack track) { return files_[static_cast<std::size_t>(track)]; }

  static bool open(File& one) {
    ::mkdir(one.path.parent_path().parent_path().c_str(), 0700);
    ::mkdir(one.path.parent_path().c_str(), 0700);
    one.descriptor =
        ::open(one.path.c_str(), O_WRONLY | O_CREAT | O_APPEND | O_CLOEXEC | O_NOFOLLOW, 0600);
    return one.descriptor >= 0 && (!one.torn || ::write(one.descriptor, &filling, 1) == 1);
  }

  bool failed(const std::string& why) {
    owner_.failed(session_id_, why);
    return false;
  }

  Recordings& owner_;
  const std::string session_id_;
  const int attempt_;
  bool archived_ = false;
  File files_[2];
};

Recordings::Recordings(Options options, Log& log)
    : options_(std::move(options)),
      log_(log),
      recorded_(options_.directory, options_.keys),
      archiver_(options_.archive, recorded_, log,
                [this](const std::string& session_id, const std::function<void()>& work) {
                  const std::lock_guard lock(mutex_);
                  if (!open_.contains(session_id)) work();
                }) {
  // Encoding must not take time from conversations.
  encode([] {
    name_this_thread("audio-encoder");
    give_way();
  });
}

std::unique_ptr<Recordings> Recordings::open_if_any(const config::Settings& settings, Log& log) {
  const fs::path directory = recordings_dir(settings);
  std::error_code none_there;
  if (settings.recording.enabled == config::Record::no && settings.bucket.bucket.empty() &&
      !fs::is_directory(directory, none_there))
    return nullptr;
  const config::Recording& from = settings.recording;
  std::optional<audio::Format> format;
  if (from.archive == config::RecordingArchive::flac) format = audio::Format::flac;
  if (from.archive == config::RecordingArchive::opus) format = audio::Format::opus;
  Options options{directory,
                  from.free_space_min,
                  from.retention,
                  from.exports_max,
                  recording::MasterKeys(from.key),
                  {format, from.delete_when == config::DeleteWhen::complete, from.archive_retry,
                   from.free_space_min}};
  return std::make_unique<Recordings>(std::move(options), log);
}

std::shared_ptr<session::AudioSink> Recordings::open(const std::string& session_id, int attempt) {
  return std::make_shared<Sink>(*this, session_id, attempt);
}

void Recordings::closed(const std::string& session_id, int attempt) {
  {
    const std::lock_guard lock(mutex_);
    if (--open_[session_id] == 0) open_.erase(session_id);
  }
  archiver_.expect(session_id, attempt);
}

/// Looks at most once a second for all sessions.
bool Recordings::has_room() {
  const std::int64_t now_ms = now().mono_ms;
  std::int64_t seen = space_seen_ms_.load(std::memory_order_relaxed);
  if (now_ms - seen >= space_look_ms && space_seen_ms_.compare_exchange_strong(seen, now_ms)) {
    std::error_code unknown;
    const fs::path there = fs::exists(options_.directory, unknown)
                               ? options_.directory
                               : options_.directory.parent_path();
    const auto space = fs::space(there, unknown);
    // A disk that cannot be asked shows its trouble at the next write.
    has_room_ =
        unknown || space.available >= free_space_of_audio(options_.free_space_min, space.capacity);
  }
  return has_room_;
}

void Recordings::failed(const std::string& session_id, const std::string& why) {
  ++failures_;
  log_.error("recording.stopped", {{"session", session_id},
                                   {"why", why},
                                   {"now", "the conversation goes on without a recording"}});
}

void Recordings::erase(const std::string& session_id, std::function<void(bool)> done) {
  boost::asio::post(files_, [this, session_id, done = std::move(done)] {
    archiver_.without(session_id, [this, session_id, done] {
      done(erase_recording(options_.directory, session_id));
    });
  });
}

/// A session that has begun another attempt meanwhile is left alone. No session can begin to record
/// while the files are removed.
void Recordings::erase_unless_open(const std::string& session_id, std::function<void(bool)> done) {
  boost::asio::post(files_, [this, session_id, done = std::move(done)] {
    archiver_.without(session_id, [this, session_id, done] {
      const std::lock_guard lock(mutex_);
      done(open_.contains(session_id) || erase_recording(options_.directory, session_id));
    });
  });
}

void Recordings::measure(const std::string& session_id, int attempt,
                         std::function<void(Measured)> done) {
  if (!remote_) return measure_here(session_id, attempt, std::move(done));
  const auto back = [this, session_id, attempt,
                     done = std::move(done)](const std::optional<recording::Trouble>& trouble) {
    if (trouble) return done(tl::unexpected(*trouble));
    measure_here(session_id, attempt, done);
  };
  remote_->bring_back(session_id, attempt, back);
}

void Recordings::measure_here(const std::string& session_id, int attempt,
                              std::function<void(Measured)> done) {
  boost::asio::post(files_, [this, session_id, attempt, done = std::move(done)] {
    const auto user = recorded_.measure({session_id, attempt, AudioTrack::user});
    if (!user) return done(tl::unexpected(user.error()));
    const auto assistant = recorded_.measure({session_id, attempt, AudioTrack::assistant});
    if (!assistant) return done(tl::unexpected(assistant.error()));
    done(MeasuredAudio{{user->bytes, assistant->bytes}, user->lossy || assistant->lossy});
  });
}

void Recordings::in_folder(const std::string& session_id,
                           std::function<void(const fs::path&)> work) {
  boost::asio::post(files_, [this, session_id, work = std::move(work)] {
    work(recording::folder_of(options_.directory, session_id));
  });
}

/// Whether the files still have all samples. Without this check silence would take their place. An
/// archive is whole, or cannot be read.
bool Recordings::is_as_measured(const RecordedAudio& audio) {
  for (const AudioTrack track : tracks) {
    const std::int64_t measured = audio.timeline->sizes().of(track);
    if (measured == 0) continue;
    const Track here{audio.session_id, audio.attempt, track};
    const auto size = recorded_.raw_bytes(here);
    if (!size && !recorded_.exists(here)) {
      log_.info("recording.erased_while_read",
                {{"session", audio.session_id}, {"now", "the reader's connection is closed"}});
      return false;
    }
    if (!size || *size >= measured) continue;
    export_failed(audio, recording::track_name(here) + ".pcm has " + std::to_string(*size) +
                             " bytes, and had " + std::to_string(measured));
    return false;
  }
  return true;
}

std::optional<std::string> Recordings::read_part(const RecordedAudio& audio, const Part& part) {
  if (remote_) remote_->used(audio.session_id);
  if (!is_as_measured(audio)) return std::nullopt;
  std::string why = "a file is shorter than it was";
  const auto read_track = [&](AudioTrack track, std::int64_t offset, std::size_t bytes) {
    auto content = recorded_.read({audio.session_id, audio.attempt, track}, offset, bytes);
    if (content) return *std::move(content);
    why = content.error().why;
    return std::string();
  };
  auto bytes = part(read_track);
  if (!bytes) export_failed(audio, why);
  return bytes;
}

void Recordings::export_failed(const RecordedAudio& audio, const std::string& why) {
  log_.error("recording.not_read", {{"session", audio.session_id},
                                    {"attempt", audio.attempt},
                                    {"why", why},
                                    {"now", "the reader's connection is closed"}});
}

void Recordings::read(const RecordedAudio& audio, std::uint64_t from, std::size_t count,
                      std::function<void(std::optional<std::string>)> done) {
  boost::asio::post(files_, [this, audio, from, count, done = std::move(done)] {
    done(read_part(audio, [&](const AudioTimeline::ReadTrack& track) {
      return audio.timeline->read(from, count, track);
    }));
  });
}

std::optional<std::string> Recordings::samples(const RecordedAudio& audio, std::uint64_t first,
                                               std::uint64_t count) {
  return read_part(audio, [&](const AudioTimeline::ReadTrack& track) {
    return audio.timeline->samples(first, count, track);
  });
}

std::unique_ptr<Recordings::ExportPermit> Recordings::permit_export() {
  const bool allowed = ++exports_ <= options_.exports_max;
  auto permit = std::make_unique<ExportPermit>(exports_);
  if (!allowed) permit.reset();
  return permit;
}

void Recordings::encode(std::function<void()> work) {
  boost::asio::post(encoder_, std::move(work));
}

void Recordings::finish() {
  encoder_.join();
  files_.join();  // an erasure may still go to the thread of the archive
  archiver_.finish();
}

/// Sessions that are not being recorded, and whose last write is older than the retention.
std::vector<std::string> Recordings::left_unwritten() {
  const auto before = fs::file_time_type::clock::now() - options_.retention;
  std::vector<std::string> found;
  std::error_code ec;
  for (fs::directory_iterator entry(options_.directory, ec), end; !ec && entry != end;
       entry.increment(ec)) {
    const auto session_id = recording::session_of(entry->path());
    if (!session_id) continue;
    {
      const std::lock_guard lock(mutex_);
      if (open_.contains(*session_id)) continue;
    }
    if (is_older(entry->path(), *session_id, before)) found.push_back(*session_id);
  }
  return found;
}

net::Awaitable<void> Recordings::remove_expired(net::Executor executor,
                                                store::SessionStore& sessions) {
  const auto look = [&](auto done) {
    boost::asio::post(files_, [this, done] { done(left_unwritten()); });
  };
  auto old = co_await net::from_callback<std::vector<std::string>>(executor, look);
  if (remote_) {
    using Kept = store::StoreResult<std::vector<std::string>>;
    const auto ask = [&](auto done) {
      remote_->kept_before(now().wall - options_.retention.count(), done);
    };
    const Kept kept = co_await net::from_callback<Kept>(executor, ask);
    if (kept) old.insert(old.end(), kept->begin(), kept->end());
    std::sort(old.begin(), old.end());
    old.erase(std::unique(old.begin(), old.end()), old.end());
  }
  std::size_t removed = 0;
  for (const std::string& id : old) {
    using Found = store::StoreResult<std::optional<store::SessionSummary>>;
    const auto find = [&](auto done) { sessions.find_session(id, {"the retention"}, done); };
    const Found session = co_await net::from_callback<Found>(executor, find);
    if (!session) break;  // the next search tries again
    const auto& known = *session;
    if (known && !known->attempts.empty()) {
      const auto ended_at = known->attempts.back().ended_at;
      if (!ended_at || *ended_at + options_.retention.count() > now().wall) continue;
    }
    if (co_await remove_one_expired(executor, id)) {
      ++removed;
    } else {
      log_.error("recording.not_erased", {{"session", id}, {"now", "it is tried again"}});
    }
  }
  if (removed > 0) log_.info("recording.expired", {{"sessions", removed}});
}

/// Nothing of it is sent meanwhile.
net::Awaitable<bool> Recordings::remove_one_expired(net::Executor executor, const std::string& id) {
  bool given_up = true;
  if (remote_) {
    const auto holding = [&](auto done) { remote_->hold(id, [done] { done(true); }); };
    co_await net::from_callback<bool>(executor, holding);
    using GivenUp = store::StoreResult<std::int64_t>;
    const auto giving_up = [&](auto done) { remote_->give_up(id, std::nullopt, done); };
    given_up = (co_await net::from_callback<GivenUp>(executor, giving_up)).has_value();
  }
  const auto begin = [&](auto done) { erase_unless_open(id, done); };
  const bool removed = given_up && co_await net::from_callback<bool>(executor, begin);
  if (remote_) remote_->release(id);
  co_return removed;
}

net::Awaitable<void> Recordings::look_for_expired(net::Executor executor,
                                                  store::SessionStore& sessions) {
  net::Timer timer(executor);
  while (true) {
    co_await remove_expired(executor, sessions);
    timer.expires_after(std::clamp(options_.retention / 10, expired_look_min, expired_look_max));
    co_await timer.async_wait(net::use_tuple);
  }
}

void Recordings::keep(const net::Executor& executor, store::SessionStore& sessions,
                      store::RecordingStore& recorded) {
  archiver_.begin(executor, sessions, recorded);
  if (options_.retention.count() == 0) return;
  boost::asio::co_spawn(executor, look_for_expired(executor, sessions), boost::asio::detached);
}

fs::path recordings_dir(const config::Settings& settings) {
  return settings.recording.dir.empty() ? settings.server.data_dir / "recordings"
                                        : settings.recording.dir;
}

bool erase_recording(const fs::path& directory, const std::string& session_id) {
  if (!is_valid_session_id(session_id)) return true;  // there can be none
  std::error_code ec;
  fs::remove_all(recording::folder_of(directory, session_id), ec);
  return !ec;
}

void add_recording_metrics(MetricsPage& page, const Recordings* recordings) {
  RecordingCounts counts;
  if (recordings != nullptr) counts = {recordings->failures(), recordings->archive_counts()};
  page.add(recording_rows, counts);
}

}  // namespace verbatim::relay
