#include "server/large_messages.hpp"

#include <algorithm>
#include <utility>

namespace verbatim::server {

namespace {

/// Of all, the part for messages that were sent and may be wanted again.
constexpr std::size_t kept_share = 4;

}  // namespace

LargeMessages::LargeMessages(std::size_t bytes_max, std::size_t largest)
    : kept_max_(std::min(bytes_max / kept_share, bytes_max - largest)),
      moving_max_(bytes_max - kept_max_ - largest) {}

LargeMessages::Counts LargeMessages::counts() const {
  const std::lock_guard lock(mutex_);
  return {moving_ + (lane_ != nullptr ? lane_->in_lane_ : 0), kept_, waiting_.size(), waits_};
}

/// With the lock held.
bool LargeMessages::admit(Share& share) {
  const std::size_t more = share.wanted_ - share.bytes_;
  if (lane_ == &share) {
    share.in_lane_ += more;
  } else if (moving_ + more <= moving_max_) {
    moving_ += more;
    share.moving_ += more;
  } else if (lane_ == nullptr) {
    lane_ = &share;
    share.in_lane_ = more;
  } else {
    return false;
  }
  share.bytes_ = share.wanted_;
  return true;
}

/// With the lock held.
void LargeMessages::serve() {
  while (!waiting_.empty() && admit(*waiting_.front())) {
    const auto granted = std::exchange(waiting_.front()->granted_, nullptr);
    waiting_.pop_front();
    granted();
  }
}

/// Of what moves. With the lock held.
void LargeMessages::let_go(Share& share) {
  moving_ -= std::exchange(share.moving_, 0);
  share.in_lane_ = 0;
  if (lane_ == &share) lane_ = nullptr;
}

LargeMessages::Share::~Share() {
  const std::lock_guard lock(all_.mutex_);
  std::erase(all_.waiting_, this);
  all_.let_go(*this);
  all_.kept_ -= kept_;
  all_.serve();
}

bool LargeMessages::Share::grow(std::size_t bytes, std::function<void()> granted) {
  const std::lock_guard lock(all_.mutex_);
  if (bytes <= bytes_) return true;
  if (granted_) return false;  // it waits already
  wanted_ = bytes;
  const bool first = all_.waiting_.empty() || all_.lane_ == this;
  if (first && all_.admit(*this)) return true;
  granted_ = std::move(granted);
  all_.waiting_.push_back(this);
  ++all_.waits_;
  return false;
}

void LargeMessages::Share::resize(std::size_t bytes) {
  const std::lock_guard lock(all_.mutex_);
  if (bytes > bytes_) {
    all_.moving_ += bytes - bytes_;  // it is there already: counted, not asked for
    moving_ += bytes - bytes_;
  } else {
    std::size_t less = bytes_ - bytes;
    const std::size_t common = std::min(less, moving_);
    moving_ -= common;
    all_.moving_ -= common;
    less -= common;
    in_lane_ -= std::min(less, in_lane_);
  }
  bytes_ = bytes;
  all_.serve();
}

bool LargeMessages::Share::keep() {
  const std::lock_guard lock(all_.mutex_);
  if (kept_ > 0) return true;
  if (all_.kept_ + bytes_ > all_.kept_max_) return false;
  kept_ = bytes_;
  all_.kept_ += kept_;
  return true;
}

void LargeMessages::Share::sent() {
  const std::lock_guard lock(all_.mutex_);
  all_.let_go(*this);
  all_.serve();
}

}  // namespace verbatim::server
