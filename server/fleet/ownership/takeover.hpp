// The decision of a node about a session of another node that does not answer: wait, or fence that
// node and take the session.
//
// Pure; any thread.
#pragma once

#include <chrono>
#include <cstdint>
#include <optional>

namespace verbatim::ownership {

using Duration = std::chrono::steady_clock::duration;

/// Why a node looks at another node's session.
enum class Reason : std::uint8_t {
  client,  ///< a client of the session has come, and the session's node did not answer
  reaper   ///< the session should end if no client comes for it
};

/// The other node, as the database shows it now.
struct OtherNode {
  bool alive = true;  ///< it was not fenced, and has not left
  /// How long ago its lease ended, by the database's clock; none: it holds its lease.
  std::optional<Duration> over_since;
};

/// This node's own lease, by its steady clock.
struct OwnLease {
  bool held = false;
  bool may_fence = false;  ///< held without a break for two times its length
};

enum class Decision : std::uint8_t {
  wait,           ///< this node may decide nothing now, or the session is not due yet
  not_from_here,  ///< the other node holds its lease: it is never fenced
  fence,          ///< its lease is over: fence it, and take the session
  take            ///< it was fenced or has left: take the session
};

/// `dead_after`: fleet.dead_after.
Decision decide(const OtherNode& other, Reason reason, const OwnLease& own, Duration dead_after);

}  // namespace verbatim::ownership
