// Erases sessions on request, and when they are older than storage.retention. Both use one path, so
// that both remove the same things: database records and captured streams. Each erasure is logged.
//
// Any thread. The search for old sessions runs on the control thread and erases one session in each
// change, so that conversations need not wait. Errors are values.
#pragma once

#include <atomic>
#include <cstdint>
#include <functional>
#include <memory>
#include <optional>
#include <string>
#include <vector>

#include "base/log.hpp"
#include "config/settings.hpp"
#include "server/relay/audio_sender.hpp"
#include "server/relay/recordings.hpp"
#include "server/relay/remote_audio.hpp"
#include "server/relay/session_registry.hpp"
#include "server/relay/suspended_sessions.hpp"
#include "server/relay/traffic_capture.hpp"
#include "storage/store/session_store.hpp"

namespace verbatim::relay {

class MetricsPage;

struct Erased {
  enum class Outcome {
    erased,
    not_found,
    live,
    busy,
    storage_failure,
    capture_failure,   ///< the captured stream could not be removed; all other data is still there
    recording_failure  ///< the same of the recorded audio
  };
  Outcome outcome = Outcome::not_found;
  bool gone = false;         ///< no file has its text; false: not yet, or it was not waited for
  bool objects_gone = true;  ///< and no bucket its audio
  std::optional<store::StorageError> error = std::nullopt;
};

class Erasure {
 public:
  enum class Why { request, retention };

  /// All references must outlive it.
  /// `suspended`: an erased session no longer waits for its client.
  /// `capture`: null if capture is off.
  /// `closing_max`: how long an ended session may take to close its connections.
  /// `recordings`: null if there are none.
  /// `resume_window`: how long an expired token stays valid after the end of its session.
  Erasure(store::SessionStore& sessions, Registry& registry, SuspendedSessions& suspended,
          Capture* capture, config::milliseconds closing_max, config::milliseconds resume_window,
          Log& log, Recordings* recordings = nullptr)
      : sessions_(sessions),
        registry_(registry),
        suspended_(suspended),
        capture_(capture),
        closing_max_(closing_max),
        resume_window_(resume_window),
        log_(log),
        recordings_(recordings) {}

  /// Before the first erasure, and for good: what is erased is no longer sent there.
  void hold_first(AudioSender& sender) { senders_.push_back(&sender); }
  /// The same for audio that is kept there: it is erased, too.
  void erase_there(RemoteAudio& remote) {
    remote_ = &remote;
    hold_first(remote);
  }

  /// `patience`: how long to wait until no file has the session's text.
  net::Awaitable<Erased> erase(net::Executor executor, const std::string& id, Why why,
                               const std::string& by, config::milliseconds patience);
  /// Erases sessions that are older than storage.retention until the executor stops.
  net::Awaitable<void> keep_for_retention(net::Executor executor,
                                          const config::LiveSettings& settings);
  /// The settings may have changed, storage.retention too. On the executor's thread.
  void reload(config::milliseconds closing_max, config::milliseconds resume_window) {
    closing_max_ = closing_max;
    resume_window_ = resume_window;
    if (retention_changed_) retention_changed_->notify();
  }

  /// Removes the session from the files of this relay, the captured stream and the recorded
  /// audio first. If the process ends in between, or one of these cannot be removed, the session
  /// can be found and erased again. `stored`: false if the store does not have it. `done`: called
  /// once, on any thread, without Erased::gone. `gone`: called for each kind of data that is
  /// nowhere any more, if it was erased.
  enum class Gone { text, objects };
  void remove(const std::string& id, bool stored, std::function<void(Erased)> done,
              std::function<void(Gone)> gone);

  /// Any thread.
  void add_metrics(MetricsPage& page) const;

 private:
  net::Awaitable<Admission> reserve_session(net::Executor executor, const std::string& id, Why why);
  void hold_from(std::size_t sender, const std::string& id, std::function<void()> held);
  void remove_unsent(const std::string& id, bool stored, std::function<void(Erased)> done,
                     std::function<void(Gone)> gone);
  void remove_objects(const std::string& id, std::function<void(Gone)> gone,
                      std::function<void(store::StoreResult<std::int64_t>)> done);
  class Departure;
  net::Awaitable<void> erase_ended_before(net::Executor executor, TimeMs time);

  store::SessionStore& sessions_;
  Registry& registry_;
  SuspendedSessions& suspended_;
  Capture* capture_;
  std::atomic<config::milliseconds> closing_max_;
  std::atomic<config::milliseconds> resume_window_;
  Log& log_;
  Recordings* recordings_;
  std::vector<AudioSender*> senders_;
  RemoteAudio* remote_ = nullptr;  ///< null: no audio is kept elsewhere
  std::atomic<std::uint64_t> by_request_{0};
  std::atomic<std::uint64_t> by_retention_{0};
  net::AsyncEvent* retention_changed_ = nullptr;  ///< of keep_for_retention()
};

}  // namespace verbatim::relay
