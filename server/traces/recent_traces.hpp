// The latest traced conversations, so that the calls to webhooks about them join their traces.
//
// Any thread; it has a lock. A conversation takes it once, when it begins, and the webhooks'
// threads for each call. Bounded: the oldest conversation is forgotten, and its later calls are not
// traced.
#pragma once

#include <deque>
#include <mutex>
#include <optional>
#include <string>
#include <string_view>
#include <unordered_map>

#include "server/traces/span.hpp"
#include "server/traces/trace_context.hpp"

namespace verbatim::traces {

class RecentTraces {
 public:
  /// `root`: the conversation's first span.
  void note(std::string_view session_id, int attempt, const SpanContext& root);
  /// The context of a new span below the first one; nullopt: the conversation is not traced, or was
  /// forgotten.
  std::optional<SpanContext> new_child(std::string_view session_id, int attempt);
  /// The first span of a conversation; not set if it was forgotten.
  SpanId root_of(std::string_view session_id, int attempt) const;

 private:
  static constexpr std::size_t conversations_max = 4096;
  static std::string key(std::string_view session_id, int attempt);

  mutable std::mutex mutex_;
  std::unordered_map<std::string, SpanContext> roots_;
  std::deque<std::string> oldest_first_;
  SpanIds ids_;
};

}  // namespace verbatim::traces
