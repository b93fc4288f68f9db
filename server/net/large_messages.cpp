#include "server/net/large_messages.hpp"

#include <algorithm>
#include <utility>

#include "base/assert.hpp"

namespace verbatim::net {

namespace {

/// 1/kept_share of all memory is the kept part.
constexpr std::size_t kept_share = 4;
/// 1/firsts_share of the moving part is for first parts; one owner may hold 1/owners_share of the
/// rest.
constexpr std::size_t firsts_share = 4;
constexpr std::size_t owners_share = 4;
/// One owner may hold 1/owners_kept_share of the kept part.
constexpr std::size_t owners_kept_share = 2;

}  // namespace

LargeMessages::LargeMessages(std::size_t bytes_max, std::size_t largest, std::size_t first)
    : first_(first) {
  set_parts(bytes_max, largest, Lock(mutex_));
}

void LargeMessages::set_limits(std::size_t bytes_max, std::size_t largest) {
  const Lock lock(mutex_);
  set_parts(bytes_max, largest, lock);
  serve(lock);
}

void LargeMessages::set_parts(std::size_t bytes_max, std::size_t largest, const Lock&) {
  VERBATIM_EXPECTS(largest <= bytes_max);
  kept_max_ = std::min(bytes_max / kept_share, bytes_max - largest);
  firsts_max_ = first_ == 0 ? 0 : (bytes_max - kept_max_ - largest) / firsts_share;
  moving_max_ = bytes_max - kept_max_ - firsts_max_ - largest;
}

LargeMessages::Counts LargeMessages::counts() const {
  const std::lock_guard lock(mutex_);
  const std::size_t in_lane = lane_ != nullptr ? lane_->in_lane_ : 0;
  return {moving_ + in_first_ + in_lane, kept_, waiting_.size(), waits_};
}

bool LargeMessages::exceeds_owner(const Share& share, std::size_t more, const Lock&) const {
  if (share.owner_ == nullptr) return false;
  const Owner& owner = share.owner_->second;
  return owner.moving + more > moving_max_ / owners_share;
}

/// Whether it asks for the first part of an owner's only message.
bool LargeMessages::is_first(const Share& share, const Lock&) const {
  return share.owner_ != nullptr && share.owner_->second.moving == 0 && share.wanted_ <= first_;
}

/// `in_turn`: no message has waited longer for a common part.
LargeMessages::Answer LargeMessages::admit(Share& share, bool in_turn, const Lock& lock) {
  const std::size_t more = share.wanted_ - share.bytes_;
  const bool exceeds = exceeds_owner(share, more, lock);
  const Share* const leader = share.owner_ != nullptr ? share.owner_->second.leader : nullptr;
  // The message in the lane must be able to end, since all may wait for it.
  if (exceeds && leader != nullptr && leader != &share && lane_ != &share)
    return Answer::waits_for_owner;
  if (lane_ == &share) {
    share.in_lane_ += more;
  } else if (in_turn && moving_ + more <= moving_max_) {
    moving_ += more;
    share.moving_ += more;
  } else if (is_first(share, lock) && in_first_ + more <= firsts_max_) {
    in_first_ += more;
    share.in_first_ += more;
  } else if (in_turn && lane_ == nullptr) {
    lane_ = &share;
    share.in_lane_ = more;
  } else {
    return Answer::waits_for_all;
  }
  share.bytes_ = share.wanted_;
  if (share.owner_ != nullptr) share.owner_->second.moving += more;
  if (exceeds && leader == nullptr) share.owner_->second.leader = &share;
  return Answer::granted;
}

/// Grants memory to waiting messages, in the order of their requests.
void LargeMessages::serve(const Lock& lock) {
  full_ = false;
  for (auto at = waiting_.begin(); at != waiting_.end();) {
    const Answer answer = admit(**at, !full_, lock);
    if (answer == Answer::granted) {
      const auto granted = std::exchange((*at)->granted_, nullptr);
      at = waiting_.erase(at);
      granted();
    } else {
      full_ = full_ || answer == Answer::waits_for_all;
      ++at;
    }
  }
}

/// Returns a share's memory in the moving part.
void LargeMessages::let_go(Share& share, const Lock&) {
  if (share.owner_ != nullptr) {
    Owner& owner = share.owner_->second;
    owner.moving -= share.moving_ + share.in_first_ + share.in_lane_;
    if (owner.leader == &share) owner.leader = nullptr;
  }
  moving_ -= std::exchange(share.moving_, 0);
  in_first_ -= std::exchange(share.in_first_, 0);
  share.in_lane_ = 0;
  if (lane_ == &share) lane_ = nullptr;
}

LargeMessages::Share::Share(LargeMessages& all, const std::string& owner) : all_(all) {
  if (owner.empty()) return;
  const std::lock_guard lock(all_.mutex_);
  owner_ = &*all_.owners_.try_emplace(owner).first;
  ++owner_->second.shares;
}

LargeMessages::Share::~Share() {
  const std::lock_guard lock(all_.mutex_);
  std::erase(all_.waiting_, this);
  all_.let_go(*this, lock);
  all_.kept_ -= kept_;
  if (owner_ != nullptr) {
    owner_->second.kept -= kept_;
    if (--owner_->second.shares == 0) all_.owners_.erase(all_.owners_.find(owner_->first));
  }
  all_.serve(lock);
}

bool LargeMessages::Share::grow(std::size_t bytes, std::function<void()> granted) {
  const std::lock_guard lock(all_.mutex_);
  if (bytes <= bytes_) return true;
  if (granted_) return false;  // it waits already
  wanted_ = bytes;
  const Answer answer = all_.admit(*this, !all_.full_, lock);
  if (answer == Answer::granted) return true;
  all_.full_ = all_.full_ || answer == Answer::waits_for_all;
  granted_ = std::move(granted);
  all_.waiting_.push_back(this);
  ++all_.waits_;
  return false;
}

void LargeMessages::Share::resize(std::size_t bytes) {
  const std::lock_guard lock(all_.mutex_);
  if (bytes > bytes_) {
    const std::size_t more = bytes - bytes_;  // allocated already: counted, not requested
    all_.moving_ += more;
    moving_ += more;
    if (owner_ != nullptr) owner_->second.moving += more;
  } else {
    std::size_t less = bytes_ - bytes;
    const auto give_back = [&less](std::size_t& part) {
      const std::size_t given = std::min(less, part);
      part -= given;
      less -= given;
      return given;
    };
    const std::size_t of_common = give_back(moving_);
    const std::size_t of_firsts = give_back(in_first_);
    const std::size_t of_lane = give_back(in_lane_);
    all_.moving_ -= of_common;
    all_.in_first_ -= of_firsts;
    if (owner_ != nullptr) owner_->second.moving -= of_common + of_firsts + of_lane;
  }
  bytes_ = bytes;
  all_.serve(lock);
}

bool LargeMessages::Share::keep() {
  const std::lock_guard lock(all_.mutex_);
  if (kept_ > 0) return true;
  if (all_.kept_ + bytes_ > all_.kept_max_) return false;
  if (owner_ != nullptr) {
    std::size_t& of_owner = owner_->second.kept;
    if (of_owner > 0 && of_owner + bytes_ > all_.kept_max_ / owners_kept_share) return false;
    of_owner += bytes_;
  }
  kept_ = bytes_;
  all_.kept_ += kept_;
  return true;
}

void LargeMessages::Share::sent() {
  const std::lock_guard lock(all_.mutex_);
  all_.let_go(*this, lock);
  all_.serve(lock);
}

}  // namespace verbatim::net
