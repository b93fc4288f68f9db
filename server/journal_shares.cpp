#include "server/journal_shares.hpp"

#include <algorithm>
#include <string_view>
#include <unordered_map>

namespace verbatim::server {
namespace {

constexpr std::int64_t minute_ms = 60'000;

}  // namespace

std::uint64_t JournalShares::Sum::add(std::uint64_t bytes, std::int64_t minute) {
  std::int64_t counted = minute_.load(std::memory_order_relaxed);
  // Whoever comes first in a minute begins it; what others add in that instant may be lost.
  if (counted != minute && minute_.compare_exchange_strong(counted, minute))
    bytes_.store(0, std::memory_order_relaxed);
  return bytes_.fetch_add(bytes, std::memory_order_relaxed) + bytes;
}

/// Never below nothing: the next minute may have begun in this instant.
void JournalShares::Sum::take_off(std::uint64_t bytes) {
  std::uint64_t now = bytes_.load(std::memory_order_relaxed);
  while (
      !bytes_.compare_exchange_weak(now, now - std::min(now, bytes), std::memory_order_relaxed)) {
  }
}

std::uint64_t JournalShares::Sum::in(std::int64_t minute) const {
  return minute_.load(std::memory_order_relaxed) == minute ? bytes_.load(std::memory_order_relaxed)
                                                           : 0;
}

std::shared_ptr<session::SharedJournal> JournalShares::open(std::string user) {
  if (bytes_per_minute_ == 0) return nullptr;
  auto share = std::make_shared<Share>(*this, std::move(user));
  const std::lock_guard lock(mutex_);
  shares_.push_back(share.get());
  return share;
}

/// What it has journaled must not end another: it is not there any more to be the largest.
void JournalShares::close(Share& share) {
  const std::lock_guard lock(mutex_);
  std::erase(shares_, &share);
  const std::int64_t minute = all_.minute();
  if (share.ends_in.load(std::memory_order_relaxed) != minute) all_.take_off(share.sum.in(minute));
}

bool JournalShares::Share::add(std::size_t bytes, std::int64_t now_ms) {
  const std::int64_t minute = now_ms / minute_ms;
  // What one writes on its way out is not to be held against the others.
  if (ends_in.load(std::memory_order_relaxed) == minute) return true;
  sum.add(bytes, minute);
  if (of.all_.add(bytes, minute) > of.bytes_per_minute_) of.end_largest(minute);
  return ends_in.load(std::memory_order_relaxed) == minute;
}

/// What it has journaled no longer counts, so that it alone ends for that. A session is asked when
/// it journals the next time; one that has stopped by itself may go on in the next minute.
void JournalShares::end_largest(std::int64_t minute) {
  const std::lock_guard lock(mutex_);
  if (all_.in(minute) <= bytes_per_minute_) return;  // another thread was faster
  Share* const one = largest(minute);
  if (one == nullptr) return;
  all_.take_off(one->sum.in(minute));
  one->ends_in.store(minute, std::memory_order_relaxed);
}

/// Of those that go on: the largest of the user with the most. Null: there is none.
JournalShares::Share* JournalShares::largest(std::int64_t minute) const {
  struct Part {
    std::uint64_t sum = 0;
    std::uint64_t most = 0;
    Share* largest = nullptr;
  };
  std::unordered_map<std::string_view, Part> users;
  Part first;
  const auto add = [minute](Part& part, Share* share) {
    const std::uint64_t bytes = share->sum.in(minute);
    part.sum += bytes;
    if (part.largest != nullptr && bytes <= part.most) return;
    part.most = bytes;
    part.largest = share;
  };
  const auto compare = [&first](const Part& part) {
    if (first.largest == nullptr || part.sum > first.sum) first = part;
  };
  for (Share* const share : shares_) {
    if (share->ends_in.load(std::memory_order_relaxed) == minute) continue;
    if (!share->user.empty()) {
      add(users[share->user], share);
      continue;
    }
    Part alone;
    add(alone, share);
    compare(alone);
  }
  for (const auto& [user, part] : users) compare(part);
  return first.largest;
}

}  // namespace verbatim::server
