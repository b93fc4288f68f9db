#include "server/net/answer_memory.hpp"

#include <algorithm>

namespace verbatim::net {

AnswerMemory::AnswerMemory(std::size_t bytes_max) { set_limit(bytes_max); }

void AnswerMemory::set_limit(std::size_t bytes_max) {
  const std::lock_guard lock(mutex_);
  bytes_max_ = bytes_max;
  clients_bytes_max_ = bytes_max / clients_part;
  owner_bytes_max_ = bytes_max / owners_part;
}

AnswerMemory::Counts AnswerMemory::counts() const {
  const std::lock_guard lock(mutex_);
  return {held_, refused_};
}

bool AnswerMemory::Share::resize(std::size_t bytes) {
  if (bytes <= free_bytes) bytes = 0;
  const std::lock_guard lock(all_.mutex_);
  if (bytes > held_ && !all_.fits(*this, bytes, lock)) {
    ++all_.refused_;
    return false;
  }
  all_.hold(*this, bytes, lock);
  return true;
}

bool AnswerMemory::fits(const Share& share, std::size_t bytes, const Lock&) const {
  const auto fit = [bytes](std::size_t others, std::size_t most) {
    return others == 0 || others + bytes <= most;
  };
  const auto owners = held_by_owner_.find(share.owner_.name);
  const std::size_t of_owner = owners == held_by_owner_.end() ? 0 : owners->second;
  if (!fit(of_owner - share.held_, owner_bytes_max_)) return false;
  const std::size_t others = held_ - share.held_;
  const std::size_t like_it =
      share.owner_.is_client ? held_by_clients_ - share.held_ : others - held_by_clients_;
  if (share.owner_.is_client && !fit(like_it, clients_bytes_max_)) return false;
  return like_it == 0 || others + bytes <= bytes_max_;
}

void AnswerMemory::hold(Share& share, std::size_t bytes, const Lock&) {
  const auto change = [bytes, &share](std::size_t& sum) { sum = sum - share.held_ + bytes; };
  change(held_);
  if (share.owner_.is_client) change(held_by_clients_);
  if (share.held_ > 0 || bytes > 0) {
    const auto owner = held_by_owner_.try_emplace(share.owner_.name).first;
    change(owner->second);
    if (owner->second == 0) held_by_owner_.erase(owner);
  }
  share.held_ = bytes;
}

void AnswerMemory::give_back(Share& share) {
  if (share.held_ == 0) return;
  const std::lock_guard lock(mutex_);
  hold(share, 0, lock);
}

}  // namespace verbatim::net
