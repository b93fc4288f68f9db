#include "server/net/body_memory.hpp"

#include <algorithm>

namespace verbatim::net {

BodyMemory::BodyMemory(std::size_t bytes_max, std::size_t largest) {
  set_limits(bytes_max, largest);
}

void BodyMemory::set_limits(std::size_t bytes_max, std::size_t largest) {
  const std::lock_guard lock(mutex_);
  bytes_max_ = std::max(bytes_max, 4 * largest);
  clients_bytes_max_ = bytes_max_ / clients_part;
  user_bytes_max_ = std::max(bytes_max_ / owners_part, largest);
}

BodyMemory::Counts BodyMemory::counts() const {
  const std::lock_guard lock(mutex_);
  return {held_, refused_};
}

bool BodyMemory::Share::grow(std::size_t bytes) {
  const std::size_t wanted = bytes <= free_bytes ? 0 : bytes - free_bytes;
  return wanted <= held_ || all_.take(*this, wanted - held_);
}

bool BodyMemory::take(Share& share, std::size_t bytes) {
  const std::lock_guard lock(mutex_);
  bool fits = held_ + bytes <= bytes_max_;
  if (fits && !share.user_.empty()) {
    const auto users = held_by_user_.find(share.user_);
    const std::size_t held_by_user = users == held_by_user_.end() ? 0 : users->second;
    fits =
        held_by_clients_ + bytes <= clients_bytes_max_ && held_by_user + bytes <= user_bytes_max_;
  }
  if (!fits) {
    ++refused_;
    return false;
  }
  held_ += bytes;
  share.held_ += bytes;
  if (!share.user_.empty()) {
    held_by_clients_ += bytes;
    held_by_user_[share.user_] += bytes;
  }
  return true;
}

void BodyMemory::give_back(Share& share) {
  if (share.held_ == 0) return;
  const std::lock_guard lock(mutex_);
  held_ -= share.held_;
  if (share.user_.empty()) return;
  held_by_clients_ -= share.held_;
  const auto users = held_by_user_.find(share.user_);
  users->second -= share.held_;
  if (users->second == 0) held_by_user_.erase(users);
}

}  // namespace verbatim::net
