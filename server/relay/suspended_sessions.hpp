// Conversations of an earlier process that wait for their clients: it has suspended them
// (server.restart = "handover"), or it was killed (they are `recovering`). They are resumed when
// their client returns, and ended when it does not.
//
// Any thread; the search for expired ones runs on the control thread. Storage errors are values. A
// mutex guards the list of those that wait; it is held when a conversation begins, never in one.
#pragma once

#include <atomic>
#include <chrono>
#include <cstddef>
#include <functional>
#include <mutex>
#include <optional>
#include <string>
#include <unordered_map>
#include <vector>

#include "base/log.hpp"
#include "server/net/async.hpp"
#include "server/relay/session_registry.hpp"
#include "session/transcript/journal.hpp"
#include "storage/store/suspended_store.hpp"

namespace verbatim::relay {

class SuspendedSessions {
 public:
  /// All references must outlive it.
  /// `store`: has the suspended attempts.
  /// `journal`: ends those that are not resumed.
  /// `items_in_memory`: a resumed conversation keeps older items elsewhere.
  SuspendedSessions(store::SuspendedStore& store, transcript::Journal& journal, Registry& registry,
                    std::chrono::milliseconds resume_window, std::size_t items_in_memory, Log& log)
      : store_(store),
        journal_(journal),
        registry_(registry),
        resume_window_(resume_window),
        items_in_memory_(items_in_memory),
        log_(log) {}

  /// Adds those that recovery has left. With none there is no search.
  void expect(std::vector<store::WaitingAttempt> waiting);
  /// In a fleet: sessions may be added at any time. None is ended while `owns` is false, because
  /// another node may have it by now. Call it before the workers start.
  void in_fleet(std::function<bool()> owns) { owns_ = std::move(owns); }
  /// One that this process has taken over from another node. Any thread.
  void add(store::WaitingAttempt one);
  bool waits(const std::string& session_id) const;
  /// The session was erased.
  void forget(const std::string& session_id);
  /// How many of them are `recovering`.
  std::size_t recovering() const { return recovering_; }
  /// How many conversations of the user wait, apart from this session and from those that the
  /// registry has: they are being taken up, ended or erased.
  std::size_t others_of(const std::string& user, const std::string& session_id) const;

  using Outcome = store::StoreResult<std::optional<store::ResumedAttempt>>;
  /// Takes the session's waiting attempt into this process. nullopt: there is none, or it is
  /// another user's. One that has waited for longer than the window is ended. Precondition: the
  /// caller holds the session's id in the registry.
  net::Awaitable<Outcome> take_up(net::Executor executor, std::string session_id, std::string user);

  enum class Ended {
    none,      ///< no conversation of this session waits
    kept,      ///< its final record is durable
    pending,   ///< it was ended; the disk had not confirmed that by the deadline
    not_kept,  ///< it could not be read or its end could not be stored
    busy,      ///< it is being taken up, ended or erased; or the server drains
  };
  /// Ends the session's waiting conversation now.
  net::Awaitable<Ended> end(net::Executor executor, std::string session_id, std::string why,
                            net::Clock::time_point deadline);

  /// Ends conversations whose client did not return in time, until none are left. Returns at once
  /// if that goes on already.
  net::Awaitable<void> end_those_left(net::Executor executor);
  /// Ends those that are `recovering`, as live ones end in an orderly stop. At the deadline the
  /// rest is left to the next start.
  net::Awaitable<void> end_recovering(net::Executor executor, net::Clock::time_point deadline);

 private:
  using FoundOne = store::StoreResult<std::optional<store::SuspendedAttempt>>;
  net::Awaitable<FoundOne> find(net::Executor executor, const std::string& session_id);
  net::Awaitable<void> end_expired(net::Executor executor, const std::string& session_id,
                                   const std::string& user);
  net::Awaitable<transcript::Sequence> close_unreturned(net::Executor executor,
                                                        const store::SuspendedAttempt& one);
  net::Awaitable<bool> end_one(net::Executor executor, std::string session_id);
  net::Awaitable<transcript::Sequence> close(net::Executor executor,
                                             const store::SuspendedAttempt& one,
                                             transcript::CloseReason reason, std::string why);
  net::Awaitable<Ended> end_reserved(net::Executor executor, const std::string& session_id,
                                     std::string why, net::Clock::time_point deadline);

  store::SuspendedStore& store_;
  transcript::Journal& journal_;
  Registry& registry_;
  const std::chrono::milliseconds resume_window_;
  const std::size_t items_in_memory_;
  Log& log_;
  std::function<bool()> owns_;  ///< null: there is no fleet
  bool looking_ = false;        ///< end_those_left() runs; on its executor
  mutable std::mutex mutex_;
  std::unordered_map<std::string, store::WaitingAttempt> waiting_;  ///< by session
  std::atomic<std::size_t> left_{0};                                ///< their number
  std::atomic<std::size_t> recovering_{0};                          ///< of these, `recovering`
};

}  // namespace verbatim::relay
