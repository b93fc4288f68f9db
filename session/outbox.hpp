// Messages on their way to one peer, in order, and the gate that keeps P1: the head may leave only
// once everything it shows is durable. One per direction of a session.
//
// Pure; lives on its session's thread. It knows no socket: the driver asks ready(), takes the head
// and writes it.
#pragma once

#include <cstddef>
#include <cstdint>
#include <deque>
#include <string>
#include <utility>

#include "session/journal.hpp"

namespace verbatim::session {

/// What a message is, for counting.
enum class MessageKind : std::uint8_t { audio = 0, text = 1, other = 2 };

/// One WebSocket text message, moved from hop to hop, never copied.
struct Message {
  std::string bytes;
  std::int64_t received_us = 0;  ///< monotonic microseconds when it was read; 0: made here
  MessageKind kind = MessageKind::other;
};

class Outbox {
 public:
  /// `needs`: the message may leave once the journal is durable up to here; 0 needs nothing.
  void push(Message message, Sequence needs) {
    bytes_ += message.bytes.size();
    queue_.push_back({std::move(message), needs});
  }

  bool empty() const { return queue_.empty(); }
  std::size_t bytes() const { return bytes_; }
  std::uint64_t taken() const { return taken_; }

  bool ready(Sequence durable) const { return !queue_.empty() && queue_.front().needs <= durable; }

  /// What the head waits for; 0 if it waits for nothing or there is none.
  Sequence head_needs() const { return queue_.empty() ? 0 : queue_.front().needs; }

  /// Precondition: !empty().
  Message take() {
    Message head = std::move(queue_.front().message);
    queue_.pop_front();
    bytes_ -= head.bytes.size();
    ++taken_;
    return head;
  }

  void clear() {
    queue_.clear();
    bytes_ = 0;
  }

  /// After a journal failure nothing unsaved may leave, and nothing may overtake it: drops the
  /// first message that is not durable and all behind it.
  void drop_unsaved(Sequence durable) {
    auto first = queue_.begin();
    while (first != queue_.end() && first->needs <= durable) ++first;
    for (auto it = first; it != queue_.end(); ++it) bytes_ -= it->message.bytes.size();
    queue_.erase(first, queue_.end());
  }

  /// Puts a message before all others; for what must come first once a link opens.
  void push_front(Message message) {
    bytes_ += message.bytes.size();
    queue_.push_front({std::move(message), 0});
  }

 private:
  struct Entry {
    Message message;
    Sequence needs;
  };
  std::deque<Entry> queue_;
  std::size_t bytes_ = 0;
  std::uint64_t taken_ = 0;
};

}  // namespace verbatim::session
