#include "server/fleet/shipping/lease.hpp"

namespace verbatim::shipping {

Time Lease::renewal_due_at() const {
  constexpr int renewals_in_ttl = 4;
  return last_sent_ ? *last_sent_ + ttl_ / renewals_in_ttl : Time{};
}

Lease::Renewal Lease::sent(Time now) {
  last_sent_ = now;
  pending_.emplace(++last_, now);
  return last_;
}

void Lease::confirmed(Renewal renewal) {
  const auto found = pending_.find(renewal);
  if (found == pending_.end()) return;
  const Time sent_at = found->second;
  pending_.erase(pending_.begin(), std::next(found));
  // A renewal that was sent after the end of the lease begins a new one: between the two another
  // node could have fenced this one.
  if (!renewed_ || sent_at >= *renewed_ + ttl_) unbroken_since_ = sent_at;
  if (!renewed_ || sent_at > *renewed_) renewed_ = sent_at;
}

std::optional<Time> Lease::held_until() const {
  if (!renewed_) return std::nullopt;
  return *renewed_ + ttl_;
}

bool Lease::held(Time now) const {
  const auto until = held_until();
  return until && now < *until;
}

std::optional<Time> Lease::may_fence_from() const {
  if (!unbroken_since_) return std::nullopt;
  return *unbroken_since_ + 2 * ttl_;
}

bool Lease::may_fence(Time now) const {
  const auto from = may_fence_from();
  return held(now) && from && now >= *from;
}

}  // namespace verbatim::shipping
