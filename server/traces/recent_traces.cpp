#include "server/traces/recent_traces.hpp"

#include <utility>

namespace verbatim::traces {

std::string RecentTraces::key(std::string_view session_id, int attempt) {
  return std::to_string(attempt) + " " + std::string(session_id);
}

void RecentTraces::note(std::string_view session_id, int attempt, const SpanContext& root) {
  std::string name = key(session_id, attempt);
  const std::lock_guard lock(mutex_);
  const auto [place, is_new] = roots_.insert_or_assign(name, root);
  if (!is_new) return;
  oldest_first_.push_back(std::move(name));
  if (oldest_first_.size() <= conversations_max) return;
  roots_.erase(oldest_first_.front());
  oldest_first_.pop_front();
}

std::optional<SpanContext> RecentTraces::new_child(std::string_view session_id, int attempt) {
  const std::lock_guard lock(mutex_);
  const auto found = roots_.find(key(session_id, attempt));
  if (found == roots_.end()) return std::nullopt;
  return SpanContext{found->second.trace, ids_.next(), true};
}

SpanId RecentTraces::root_of(std::string_view session_id, int attempt) const {
  const std::lock_guard lock(mutex_);
  const auto found = roots_.find(key(session_id, attempt));
  return found == roots_.end() ? SpanId() : found->second.span;
}

}  // namespace verbatim::traces
