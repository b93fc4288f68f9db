#include "server/relay/journal_shares.hpp"

#include <algorithm>
#include <utility>

namespace verbatim::relay {
namespace {

constexpr std::int64_t minute_ms = 60'000;

}  // namespace

std::uint64_t JournalShares::Sum::add(std::uint64_t bytes, std::int64_t minute) {
  std::int64_t counted = minute_.load(std::memory_order_relaxed);
  // The first call in a minute resets the sum; concurrent additions may be lost.
  if (counted != minute && minute_.compare_exchange_strong(counted, minute))
    bytes_.store(0, std::memory_order_relaxed);
  return bytes_.fetch_add(bytes, std::memory_order_relaxed) + bytes;
}

/// Never below zero: the next minute may begin concurrently.
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

JournalShares::Part JournalShares::open(const std::string& owner, std::int64_t now_ms) {
  const std::lock_guard lock(mutex_);
  auto account = account_of(owner, now_ms);
  const auto share = std::make_shared<Share>(*this, account);
  shares_.push_back(share.get());
  session::PaceAccount* const pace = &account->pace;
  return {share, {std::move(account), pace}};
}

std::shared_ptr<JournalShares::Account> JournalShares::account_of(const std::string& owner,
                                                                  std::int64_t now_ms) {
  if (owner.empty()) return std::make_shared<Account>(limits_.per_second);
  if (accounts_.size() >= forget_at_) forget_idle(now_ms);
  auto& account = accounts_[owner];
  if (!account) account = std::make_shared<Account>(limits_.per_second);
  return account;
}

/// Removes accounts that have no session, no bytes in this minute, and no debt in their pace. Runs
/// when there are twice as many accounts as the last run kept.
void JournalShares::forget_idle(std::int64_t now_ms) {
  constexpr std::size_t few = 64;
  std::erase_if(accounts_, [now_ms](const auto& entry) {
    const std::shared_ptr<Account>& account = entry.second;
    return account.use_count() == 1 && account->sum.in(now_ms / minute_ms) == 0 &&
           account->pace.owed_ns(now_ms) == 0;
  });
  forget_at_ = std::max(few, 2 * accounts_.size());
}

void JournalShares::reload(const config::Limits& limits) {
  const std::lock_guard lock(mutex_);
  limits_.per_second = limits.journal_bytes_per_second;
  limits_.per_minute = limits.journal_bytes_per_minute;
  limits_.all_per_minute = limits.all_journal_bytes_per_minute;
  for (const auto& [owner, account] : accounts_) account->pace.set_rate(limits_.per_second);
}

std::size_t JournalShares::owners() const {
  const std::lock_guard lock(mutex_);
  return accounts_.size();
}

std::int64_t JournalShares::wait_s(const std::string& owner, std::int64_t now_ms) const {
  const std::size_t most = limits_.per_minute;
  if (most == 0) return 0;
  const std::int64_t minute = now_ms / minute_ms;
  const std::lock_guard lock(mutex_);
  const auto account = accounts_.find(owner);
  if (account == accounts_.end() || account->second->sum.in(minute) <= most) return 0;
  return ((minute + 1) * minute_ms - now_ms + 999) / 1000;
}

/// A closed session must not end another: its bytes leave the sum, as it can no longer be the
/// largest.
void JournalShares::close(Share& share) {
  const std::lock_guard lock(mutex_);
  std::erase(shares_, &share);
  const std::int64_t minute = all_.minute();
  if (share.ends_in.load(std::memory_order_relaxed) != minute) all_.take_off(share.sum.in(minute));
}

std::optional<session::Limit> JournalShares::Share::add(std::size_t bytes, std::int64_t now_ms) {
  using session::Limit;
  const std::int64_t minute = now_ms / minute_ms;
  // The last writes of an ending session do not count against the others.
  if (ends_in.load(std::memory_order_relaxed) == minute) return Limit::all_journal_bytes;
  const std::size_t most = of.limits_.per_minute;
  if (most != 0 && account->sum.add(bytes, minute) > most) return Limit::journal_bytes;
  const std::size_t most_of_all = of.limits_.all_per_minute;
  if (most_of_all == 0) return std::nullopt;
  sum.add(bytes, minute);
  if (of.all_.add(bytes, minute) > most_of_all) of.end_largest(minute);
  if (ends_in.load(std::memory_order_relaxed) != minute) return std::nullopt;
  return Limit::all_journal_bytes;
}

/// Its bytes leave the sum, so that only this session ends for them. The session learns it at its
/// next write. If it writes no more in this minute, it may go on.
void JournalShares::end_largest(std::int64_t minute) {
  const std::lock_guard lock(mutex_);
  if (all_.in(minute) <= limits_.all_per_minute) return;  // another thread has ended one
  Share* const one = largest(minute);
  if (one == nullptr) return;
  all_.take_off(one->sum.in(minute));
  one->ends_in.store(minute, std::memory_order_relaxed);
}

/// Of the sessions that go on: the largest session of the owner with the largest sum; null if there
/// is none.
JournalShares::Share* JournalShares::largest(std::int64_t minute) const {
  struct Part {
    std::uint64_t sum = 0;
    std::uint64_t most = 0;
    Share* largest = nullptr;
  };
  std::unordered_map<const Account*, Part> owners;
  Part first;
  const auto add = [minute](Part& part, Share* share) {
    const std::uint64_t bytes = share->sum.in(minute);
    part.sum += bytes;
    if (part.largest != nullptr && bytes <= part.most) return;
    part.most = bytes;
    part.largest = share;
  };
  for (Share* const share : shares_) {
    if (share->ends_in.load(std::memory_order_relaxed) == minute) continue;
    add(owners[share->account.get()], share);
  }
  for (const auto& [owner, part] : owners)
    if (first.largest == nullptr || part.sum > first.sum) first = part;
  return first.largest;
}

}  // namespace verbatim::relay
