// Conversations that the previous process has suspended (server.restart = "handover"). They are
// resumed when their client returns, and ended when it does not.
//
// Any thread; the search for expired ones runs on the control thread. Storage errors are values.
#pragma once

#include <atomic>
#include <chrono>
#include <cstddef>
#include <optional>
#include <string>

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

  /// Sets the number that recovery has left. At 0 there is no search.
  void expect(std::size_t count) { left_ = count; }

  using Outcome = store::StoreResult<std::optional<store::ResumedAttempt>>;
  /// Takes the session's suspended attempt into this process. nullopt: there is none, or it is
  /// another user's. Precondition: the caller holds the session's id in the registry.
  net::Awaitable<Outcome> take_up(net::Executor executor, std::string session_id, std::string user);

  enum class Ended {
    none,      ///< no suspended conversation of this session
    kept,      ///< its final record is durable
    pending,   ///< it was ended; the disk had not confirmed that by the deadline
    not_kept,  ///< it could not be read or its end could not be stored
    busy,      ///< it is being taken up, ended or erased; or the server drains
  };
  /// Ends the session's suspended conversation now.
  net::Awaitable<Ended> end(net::Executor executor, std::string session_id, std::string why,
                            net::Clock::time_point deadline);

  /// Ends conversations whose client did not return in time, until none are left.
  net::Awaitable<void> end_those_left(net::Executor executor);

 private:
  net::Awaitable<bool> end_one(net::Executor executor, const store::SuspendedAttempt& one);
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
  std::atomic<std::size_t> left_{0};
};

}  // namespace verbatim::relay
