#include "server/bucket/gate.hpp"

#include <utility>

namespace verbatim::bucket {

bool Gate::enter(const std::string& session_id, Work work) {
  const std::lock_guard lock(mutex_);
  if (work == Work::transfer && held_.contains(session_id)) return false;
  return busy_.emplace(session_id, work).second;
}

void Gate::leave(const std::string& session_id) {
  std::vector<std::function<void()>> calls;
  {
    const std::lock_guard lock(mutex_);
    busy_.erase(session_id);
    if (const auto waiting = when_free_.find(session_id); waiting != when_free_.end()) {
      calls = std::move(waiting->second);
      when_free_.erase(waiting);
    }
  }
  for (const auto& call : calls) call();
}

bool Gate::is_held(const std::string& session_id) const {
  const std::lock_guard lock(mutex_);
  return held_.contains(session_id);
}

void Gate::hold(const std::string& session_id, std::function<void()> done) {
  {
    const std::lock_guard lock(mutex_);
    ++held_[session_id];
    const auto busy = busy_.find(session_id);
    if (busy != busy_.end() && busy->second == Work::transfer) {
      when_free_[session_id].push_back(std::move(done));
      return;
    }
  }
  done();
}

void Gate::release(const std::string& session_id) {
  const std::lock_guard lock(mutex_);
  const auto held = held_.find(session_id);
  if (held != held_.end() && --held->second == 0) held_.erase(held);
}

}  // namespace verbatim::bucket
