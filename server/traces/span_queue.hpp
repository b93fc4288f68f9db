// Hands spans from the conversations' threads to the exporter's thread. Lock-free and bounded: when
// it is full, a span is dropped and counted, and no conversation ever waits.
//
// push(): any thread. The rest: the exporter's thread.
#pragma once

#include <atomic>
#include <cstddef>
#include <cstdint>
#include <vector>

#include "server/traces/span.hpp"

namespace verbatim::traces {

class SpanQueue {
 public:
  /// `spans_max`: spans that were pushed and are not yet released.
  explicit SpanQueue(std::size_t spans_max) : spans_max_(spans_max) {}
  /// Any thread. Spans that wait stay.
  void set_max(std::size_t spans_max) { spans_max_ = spans_max; }
  ~SpanQueue();
  SpanQueue(const SpanQueue&) = delete;
  SpanQueue& operator=(const SpanQueue&) = delete;

  /// Never blocks and never throws.
  void push(Span&& span) noexcept;
  /// A span could not be made for lack of memory.
  void lost() noexcept { dropped_.fetch_add(1, std::memory_order_relaxed); }

  /// Appends all spans that were pushed since the last call, in their order. They keep their places
  /// in the queue until release().
  void take(std::vector<Span>& to);
  /// Frees the places of spans that were exported or given up.
  void release(std::size_t count) { held_.fetch_sub(count, std::memory_order_relaxed); }

  /// Any thread.
  std::size_t held() const { return held_.load(std::memory_order_relaxed); }
  std::uint64_t dropped() const { return dropped_.load(std::memory_order_relaxed); }

 private:
  struct Node {
    Span span;
    Node* next = nullptr;
  };
  static void drop(Node* newest);

  std::atomic<std::size_t> spans_max_;
  std::atomic<Node*> newest_{nullptr};
  std::atomic<std::size_t> held_{0};
  std::atomic<std::uint64_t> dropped_{0};
};

}  // namespace verbatim::traces
