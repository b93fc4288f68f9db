// The watchers of live conversations, and the newest state of each conversation. A loop reads new
// durable state through the store and shares it, immutable, with all watchers. A watcher
// takes the newest state when it has written the one before, so a slow one costs only its socket.
//
// Conversations whose copies take long to merge have a loop of their own, so that they do not delay
// the watchers of others.
//
// The journal wakes the loop when it has moved, at most once an events.interval. Nothing here is on
// a conversation's path. Any thread, unless a comment says otherwise; the mutex is held for a look
// into a map.
#pragma once

#include <atomic>
#include <cstddef>
#include <cstdint>
#include <map>
#include <memory>
#include <mutex>
#include <optional>
#include <tl/expected.hpp>
#include <vector>

#include "base/log.hpp"
#include "config/settings.hpp"
#include "server/relay/worker.hpp"
#include "session/transcript/journal.hpp"
#include "storage/store/tail_store.hpp"

namespace verbatim::relay {
class MetricsPage;
}  // namespace verbatim::relay

namespace verbatim::api {

/// Since the start. Any thread counts; none of them carries a conversation.
struct FeedCounts {
  std::atomic<std::uint64_t> refused{0};
  std::atomic<std::uint64_t> dropped{0};
  std::atomic<std::uint64_t> events{0};
};

class LiveFeed {
 public:
  /// `settings` must outlive it.
  explicit LiveFeed(const config::LiveSettings& settings) : settings_(settings) {}

  /// Starts the loop on this worker; all of these must outlive the worker's last step.
  void start(relay::Worker& worker, const transcript::Journal& journal, store::TailStore& tails,
             Log& log);

  enum class NotAdmitted { too_many_of_session, too_many, closing };

  /// One watcher's; its destructor gives it back. On its connection's thread.
  class Permit {
   public:
    Permit(LiveFeed& feed, std::string session_id)
        : feed_(feed), session_id_(std::move(session_id)) {}
    ~Permit() { feed_.leave(session_id_); }
    Permit(const Permit&) = delete;
    Permit& operator=(const Permit&) = delete;

   private:
    LiveFeed& feed_;
    std::string session_id_;
  };
  tl::expected<std::unique_ptr<Permit>, NotAdmitted> admit(const std::string& session_id);

  /// An event that is notified on `executor` when there is a newer state, or will be none. `seen`:
  /// number of the state that the watcher has seen.
  std::shared_ptr<net::AsyncEvent> follow(const store::TailKey& key, std::uint64_t seen,
                                          const net::Executor& executor);
  /// The newest; null before the first look.
  std::shared_ptr<const store::TailState> newest(const store::TailKey& key) const;
  /// Wakes every watcher, to look whether it still may watch.
  void wake_watchers();
  /// There will be no other state: a watcher that has seen the newest ends.
  bool closed() const { return closed_; }

  /// Looks once more, shows that, and ends all watchers. Returns when they are gone, or at the
  /// deadline.
  net::Awaitable<void> close(net::Executor executor, net::Clock::time_point deadline);

  config::Events settings() const { return settings_.get()->events; }
  FeedCounts& counts() { return counts_; }
  void add_metrics(relay::MetricsPage& page) const;

 private:
  struct Subscriber {
    net::Executor executor;
    std::weak_ptr<net::AsyncEvent> event;
  };
  struct Watched {
    std::uint64_t seen = 0;  ///< by the first subscriber
    std::shared_ptr<const store::TailState> state;
    std::vector<Subscriber> subscribers;
    store::MergeLane lane = store::MergeLane::quick;
  };
  class Gate;

  net::Awaitable<void> run(std::shared_ptr<Gate> gate, const transcript::Journal& journal,
                           store::TailStore& tails, store::MergeLane lane, Log& log);
  std::vector<store::TailWanted> wanted(store::MergeLane lane);
  void hand_over(const std::vector<store::TailKey>& slow);
  void show(std::vector<std::pair<store::TailKey, std::shared_ptr<const store::TailState>>>);
  std::size_t watchers() const;
  void leave(const std::string& session_id);
  void wake_loops();
  static void notify(const Subscriber& subscriber);

  const config::LiveSettings& settings_;
  FeedCounts counts_;
  mutable std::mutex mutex_;
  std::map<store::TailKey, Watched> watched_;
  std::map<std::string, std::size_t> watchers_of_;
  std::size_t watchers_ = 0;
  std::optional<Subscriber> empty_;  ///< notified when the last watcher leaves
  std::vector<Subscriber> loops_;    ///< before the first watcher, and never changed then
  std::atomic<std::size_t> loops_closed_{0};
  std::atomic<bool> closing_{false};
  std::atomic<bool> closed_{false};
};

}  // namespace verbatim::api
