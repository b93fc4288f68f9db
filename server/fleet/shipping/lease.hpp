// The lease of one incarnation of this node: until when it owns its conversations, by its own
// steady clock.
//
// The database decides with its own clock, and no node's wall clock decides anything. The node
// counts from the moment at which it sent the last renewal that succeeded. The database received it
// later, so the lease is over here before it is over there.
//
// Pure; one thread. The caller passes the time.
#pragma once

#include <chrono>
#include <cstdint>
#include <map>
#include <optional>

namespace verbatim::shipping {

using Time = std::chrono::steady_clock::time_point;
using Duration = std::chrono::steady_clock::duration;

class Lease {
 public:
  using Renewal = std::uint64_t;

  /// `ttl`: fleet.lease_ttl. A renewal is due four times in it.
  explicit Lease(Duration ttl) : ttl_(ttl) {}

  /// Whether a renewal should be sent now. A batch that is shipped is one too.
  bool renewal_due(Time now) const { return now >= renewal_due_at(); }
  /// When the next renewal is due; the clock's beginning if none was sent.
  Time renewal_due_at() const;
  /// A renewal, or a batch with one, leaves now. Returns its number for the calls below.
  Renewal sent(Time now);
  /// The database has confirmed it. Confirmations of one connection come in the order of sending.
  void confirmed(Renewal renewal);
  /// The connection broke: what was sent may or may not have arrived.
  void connection_lost() { pending_.clear(); }

  /// It owns its conversations: no other node can have taken them.
  bool held(Time now) const;
  /// It has held its lease without a break for two times the ttl. Only then may it fence others:
  /// after an outage of the database the others must have had the time to renew theirs.
  bool may_fence(Time now) const;
  /// The time from which on may_fence() is true, if the lease is held until then. none: it is not
  /// held.
  std::optional<Time> may_fence_from() const;
  /// Until when it is held, if no renewal follows.
  std::optional<Time> held_until() const;

 private:
  const Duration ttl_;
  Renewal last_ = 0;
  std::map<Renewal, Time> pending_;  ///< when each was sent that is not confirmed
  std::optional<Time> last_sent_;    ///< of any renewal
  std::optional<Time> renewed_;      ///< when the last one that succeeded was sent
  std::optional<Time> unbroken_since_;
};

}  // namespace verbatim::shipping
