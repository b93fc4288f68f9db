#include "server/fleet/ownership/takeover.hpp"

namespace verbatim::ownership {

Decision decide(const OtherNode& other, Reason reason, const OwnLease& own, Duration dead_after) {
  // A node that may itself be fenced by now decides nothing.
  if (!own.held) return Decision::wait;
  if (other.alive && !other.over_since)
    return reason == Reason::client ? Decision::not_from_here : Decision::wait;
  const Duration over = other.over_since.value_or(Duration::zero());
  if (reason == Reason::reaper && over < dead_after) return Decision::wait;
  if (!other.alive) return Decision::take;
  return own.may_fence ? Decision::fence : Decision::wait;
}

}  // namespace verbatim::ownership
