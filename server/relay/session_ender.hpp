// Ends a session as its operator: one that runs, one whose client is away, or one of an earlier
// process that waits for its client.
//
// Any thread.
#pragma once

#include <string>

#include "server/net/async.hpp"
#include "server/relay/session_registry.hpp"
#include "server/relay/suspended_sessions.hpp"

namespace verbatim::relay {

class SessionEnder {
 public:
  enum class Outcome {
    ended,       ///< the final record is durable
    nothing,     ///< nothing of the session runs here; it may be final
    pending,     ///< it was ended; the final record was not durable by the deadline
    not_kept,    ///< the final record cannot be stored; the next start makes it from the journal
    restarting,  ///< the server stops, and the next process continues the session
  };

  /// Both references must outlive it.
  SessionEnder(Registry& registry, SuspendedSessions& suspended)
      : registry_(registry), suspended_(suspended) {}

  /// `why`: the operator's words, for the log and the client; they contain no secrets.
  net::Awaitable<Outcome> end(net::Executor executor, std::string session_id, std::string why,
                              net::Clock::time_point deadline);

  /// Sessions of a killed process that wait for their clients. Any thread.
  std::size_t recovering() const { return suspended_.recovering(); }

 private:
  Registry& registry_;
  SuspendedSessions& suspended_;
};

}  // namespace verbatim::relay
