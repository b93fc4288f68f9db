// Messages on their way to one peer, in order, and the gate that keeps promise P1.
//
// Invariant:
// - Held: every message whose text the journal has not yet made durable, and every message behind
//   it. The order never changes, so audio does not overtake text.
// - Until when: the head may leave once the journal is durable up to the head's `needs`.
// - When the flush fails: drop_unsaved() removes the first message that is not durable and all
//   behind it. They are never sent; the session then ends with `storage_failure`.
//
// There is one outbox for each direction of a session. The client's outbox also numbers the
// messages that it hands out and retains the latest ones. A client that comes back with `after=N`
// gets every message after number N (docs/resume.md).
//
// Pure; lives on its session's thread. It does no I/O: the driver asks ready(), takes the head and
// writes it.
#pragma once

#include <cstddef>
#include <cstdint>
#include <deque>
#include <limits>
#include <memory>
#include <string>
#include <utility>
#include <vector>

#include "base/assert.hpp"
#include "session/protocol/message.hpp"
#include "session/transcript/journal.hpp"

namespace verbatim::session {

class Outbox {
 public:
  /// `kept_bytes_max`: bytes of taken messages to retain for resume_after(). The last message is
  /// always retained, of any size. 0: none is retained.
  explicit Outbox(std::size_t kept_bytes_max = 0) : kept_bytes_max_(kept_bytes_max) {}

  /// Appends a message. `needs`: the journal sequence that must be durable before the message may
  /// leave; 0: it may leave at once.
  void push(protocol::Message message, transcript::Sequence needs) {
    push(std::make_shared<const protocol::Message>(std::move(message)), needs);
  }
  void push(protocol::MessagePtr message, transcript::Sequence needs) {
    bytes_ += message->bytes.size();
    queue_.push_back({std::move(message), needs});
  }

  /// Puts a message before all pending ones: for a message that must come first on a new
  /// connection.
  void push_front(protocol::Message message, transcript::Sequence needs = 0) {
    push_front(std::make_shared<const protocol::Message>(std::move(message)), needs);
  }
  void push_front(protocol::MessagePtr message, transcript::Sequence needs = 0) {
    bytes_ += message->bytes.size();
    queue_.insert(head(), {std::move(message), needs});
  }

  struct Waiting {
    protocol::MessagePtr message;
    transcript::Sequence needs;
  };
  /// Removes and returns all pending messages, as if they had not been pushed.
  std::vector<Waiting> withdraw() {
    std::vector<Waiting> all;
    for (auto at = head(); at != queue_.end(); ++at)
      all.push_back({std::move(at->message), at->needs});
    clear();
    return all;
  }

  // --- Pending messages ---
  bool empty() const { return taken_here_ == queue_.size(); }
  std::size_t bytes() const { return bytes_; }
  std::uint64_t taken() const { return taken_; }

  bool ready(transcript::Sequence durable) const {
    return !empty() && head()->needs <= durable && next_number() <= hold_behind_;
  }

  /// The journal sequence that the head waits for; 0 if it needs none or there is no head.
  transcript::Sequence head_needs() const { return empty() ? 0 : head()->needs; }

  /// Precondition: !empty().
  protocol::MessagePtr take() {
    VERBATIM_EXPECTS(!empty());
    protocol::MessagePtr taken = head()->message;
    bytes_ -= taken->bytes.size();
    kept_bytes_ += taken->bytes.size();
    ++taken_here_;
    ++taken_;
    const bool kept = kept_bytes_max_ > 0 && (!taken->memory || taken->memory->keep());
    const std::size_t least = kept ? 1 : 0;
    while (taken_here_ > least && (!kept || kept_bytes_ > kept_bytes_max_)) forget_first();
    return taken;
  }

  void clear() {
    queue_.erase(head(), queue_.end());
    bytes_ = 0;
  }

  /// After a journal failure: drops the first message that is not durable and all behind it, so
  /// that no unsaved text leaves and the order stays.
  void drop_unsaved(transcript::Sequence durable) {
    auto first = head();
    while (first != queue_.end() && first->needs <= durable) ++first;
    for (auto it = first; it != queue_.end(); ++it) bytes_ -= it->message->bytes.size();
    queue_.erase(first, queue_.end());
  }

  // --- Message numbers, from 1 ---
  /// The number of the message that take() returns next.
  std::uint64_t next_number() const { return first_number_ + taken_here_; }

  /// True if number `after` was handed out and every message after it is still here.
  bool can_resume_after(std::uint64_t after) const {
    return after + 1 >= first_number_ && after < next_number();
  }
  /// Rewinds: the next message taken is number `after` + 1. Precondition: can_resume_after(after).
  void resume_after(std::uint64_t after) {
    VERBATIM_EXPECTS(can_resume_after(after));
    while (first_number_ <= after) forget_first();
    while (taken_here_ > 0) untake();
    hold_behind_ = no_hold;
  }
  /// Drops everything; the next message is number `after` + 1.
  void restart(std::uint64_t after) {
    queue_.clear();
    bytes_ = kept_bytes_ = taken_here_ = 0;
    first_number_ = after + 1;
    hold_behind_ = no_hold;
  }
  /// With no client attached: drops retained messages, then the oldest pending ones, until at most
  /// `bytes_max` bytes are pending. One message may remain, of any size.
  void shed(std::size_t bytes_max) {
    if (bytes_ > bytes_max) {
      while (taken_here_ > 0) forget_first();
      while (bytes_ > bytes_max && queue_.size() > 1) drop_first();
    }
    for (std::size_t i = queue_.size(); i-- > taken_here_;) {
      if (!queue_[i].message->memory) continue;
      if (queue_[i].message->memory->keep()) {
        queue_[i].message->memory->sent();
        continue;
      }
      const std::size_t waiting_before = i - taken_here_;
      while (taken_here_ > 0) forget_first();
      for (std::size_t n = 0; n <= waiting_before; ++n) drop_first();
      return;
    }
  }

  /// Messages with a higher number than `number` wait until release().
  void hold_behind(std::uint64_t number) { hold_behind_ = number; }
  void release() { hold_behind_ = no_hold; }
  bool holds() const { return hold_behind_ != no_hold; }

 private:
  struct Entry {
    protocol::MessagePtr message;
    transcript::Sequence needs;
  };
  using Queue = std::deque<Entry>;
  static constexpr std::uint64_t no_hold = std::numeric_limits<std::uint64_t>::max();

  Queue::iterator head() {
    return queue_.begin() + static_cast<Queue::difference_type>(taken_here_);
  }
  Queue::const_iterator head() const {
    return queue_.begin() + static_cast<Queue::difference_type>(taken_here_);
  }
  /// Precondition: taken_here_ > 0.
  void forget_first() {
    VERBATIM_EXPECTS(taken_here_ > 0);
    kept_bytes_ -= queue_.front().message->bytes.size();
    queue_.pop_front();
    --taken_here_;
    ++first_number_;
  }
  /// Precondition: taken_here_ == 0, and a message is pending.
  void drop_first() {
    VERBATIM_EXPECTS(taken_here_ == 0 && !queue_.empty());
    bytes_ -= queue_.front().message->bytes.size();
    queue_.pop_front();
    ++first_number_;
  }
  void untake() {
    --taken_here_;
    kept_bytes_ -= head()->message->bytes.size();
    bytes_ += head()->message->bytes.size();
  }

  Queue queue_;                 ///< retained messages first, then pending ones
  std::size_t taken_here_ = 0;  ///< number of retained messages at the front
  std::size_t bytes_ = 0;       ///< of pending messages
  std::size_t kept_bytes_ = 0;  ///< of retained messages
  std::size_t kept_bytes_max_;
  std::uint64_t first_number_ = 1;  ///< the number of queue_.front()
  std::uint64_t taken_ = 0;
  std::uint64_t hold_behind_ = no_hold;
};

}  // namespace verbatim::session
