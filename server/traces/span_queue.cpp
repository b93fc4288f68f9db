#include "server/traces/span_queue.hpp"

#include <algorithm>
#include <memory>
#include <new>
#include <utility>

namespace verbatim::traces {

SpanQueue::~SpanQueue() { drop(newest_.load()); }

void SpanQueue::drop(Node* newest) {
  while (newest != nullptr) delete std::exchange(newest, newest->next);
}

void SpanQueue::push(Span&& span) noexcept {
  if (held_.fetch_add(1, std::memory_order_relaxed) >= spans_max_) {
    held_.fetch_sub(1, std::memory_order_relaxed);
    lost();
    return;
  }
  Node* const node = new (std::nothrow) Node{std::move(span)};
  if (node == nullptr) {
    held_.fetch_sub(1, std::memory_order_relaxed);
    lost();
    return;
  }
  // Only push() adds and take() removes everything at once, so a node is never seen again after it
  // was removed (no ABA).
  node->next = newest_.load(std::memory_order_relaxed);
  while (!newest_.compare_exchange_weak(node->next, node, std::memory_order_release,
                                        std::memory_order_relaxed)) {
  }
}

void SpanQueue::take(std::vector<Span>& to) {
  const std::unique_ptr<Node, void (*)(Node*)> taken(
      newest_.exchange(nullptr, std::memory_order_acquire), drop);
  const auto before = static_cast<std::ptrdiff_t>(to.size());
  for (Node* node = taken.get(); node != nullptr; node = node->next)
    to.push_back(std::move(node->span));
  std::reverse(to.begin() + before, to.end());
}

}  // namespace verbatim::traces
