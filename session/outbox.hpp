// Messages on their way to one peer, in order, and the gate that keeps P1: the head may leave only
// once everything it shows is durable. One per direction of a session.
//
// A client's outbox also numbers what it gives out, and keeps the last of it, so that a client that
// comes back can be given all behind the last message that it has (`after=N`, the interface,
// section 2).
//
// Pure; lives on its session's thread. It knows no socket: the driver asks ready(), takes the head
// and writes it.
#pragma once

#include <cstddef>
#include <cstdint>
#include <deque>
#include <limits>
#include <memory>
#include <string>
#include <utility>
#include <vector>

#include "session/protocol/message.hpp"
#include "session/transcript/journal.hpp"

namespace verbatim::session {

class Outbox {
 public:
  /// `kept_bytes_max`: how much of what was taken is kept for resume_after(), but the last message
  /// in any case; 0: nothing.
  explicit Outbox(std::size_t kept_bytes_max = 0) : kept_bytes_max_(kept_bytes_max) {}

  /// `needs`: the message may leave once the journal is durable up to here; 0 needs nothing.
  void push(Message message, Sequence needs) {
    push(std::make_shared<const Message>(std::move(message)), needs);
  }
  void push(MessagePtr message, Sequence needs) {
    bytes_ += message->bytes.size();
    queue_.push_back({std::move(message), needs});
  }

  /// Puts a message before all that wait; for what must come first once a link opens.
  void push_front(Message message, Sequence needs = 0) {
    push_front(std::make_shared<const Message>(std::move(message)), needs);
  }
  void push_front(MessagePtr message, Sequence needs = 0) {
    bytes_ += message->bytes.size();
    queue_.insert(head(), {std::move(message), needs});
  }

  struct Waiting {
    MessagePtr message;
    Sequence needs;
  };
  /// Takes all that waits out again, as if it had not been pushed.
  std::vector<Waiting> withdraw() {
    std::vector<Waiting> all;
    for (auto at = head(); at != queue_.end(); ++at)
      all.push_back({std::move(at->message), at->needs});
    clear();
    return all;
  }

  // --- what waits ---------------------------------------------------------------------------
  bool empty() const { return taken_here_ == queue_.size(); }
  std::size_t bytes() const { return bytes_; }
  std::uint64_t taken() const { return taken_; }

  bool ready(Sequence durable) const {
    return !empty() && head()->needs <= durable && next_number() <= hold_behind_;
  }

  /// What the head waits for; 0 if it waits for nothing or there is none.
  Sequence head_needs() const { return empty() ? 0 : head()->needs; }

  /// Precondition: !empty().
  MessagePtr take() {
    MessagePtr taken = head()->message;
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

  /// After a journal failure nothing unsaved may leave, and nothing may overtake it: drops the
  /// first message that is not durable and all behind it.
  void drop_unsaved(Sequence durable) {
    auto first = head();
    while (first != queue_.end() && first->needs <= durable) ++first;
    for (auto it = first; it != queue_.end(); ++it) bytes_ -= it->message->bytes.size();
    queue_.erase(first, queue_.end());
  }

  // --- numbers, from 1 ----------------------------------------------------------------------
  /// Of the message that take() gives next.
  std::uint64_t next_number() const { return first_number_ + taken_here_; }

  /// Everything behind message number `after` is still here, and that number was given out.
  bool can_resume_after(std::uint64_t after) const {
    return after + 1 >= first_number_ && after < next_number();
  }
  /// The next one taken is number `after` + 1. Precondition: can_resume_after(after).
  void resume_after(std::uint64_t after) {
    while (first_number_ <= after) forget_first();
    while (taken_here_ > 0) untake();
    hold_behind_ = no_hold;
  }
  /// Forgets everything; the next message is number `after` + 1.
  void restart(std::uint64_t after) {
    queue_.clear();
    bytes_ = kept_bytes_ = taken_here_ = 0;
    first_number_ = after + 1;
    hold_behind_ = no_hold;
  }
  /// With no client attached: drops what was kept and then the oldest, until no more than this
  /// waits, or one message alone, however large.
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

  /// What has a higher number waits until release().
  void hold_behind(std::uint64_t number) { hold_behind_ = number; }
  void release() { hold_behind_ = no_hold; }
  bool holds() const { return hold_behind_ != no_hold; }

 private:
  struct Entry {
    MessagePtr message;
    Sequence needs;
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
    kept_bytes_ -= queue_.front().message->bytes.size();
    queue_.pop_front();
    --taken_here_;
    ++first_number_;
  }
  /// Precondition: taken_here_ == 0, and something waits.
  void drop_first() {
    bytes_ -= queue_.front().message->bytes.size();
    queue_.pop_front();
    ++first_number_;
  }
  void untake() {
    --taken_here_;
    kept_bytes_ -= head()->message->bytes.size();
    bytes_ += head()->message->bytes.size();
  }

  Queue queue_;                 ///< first what was taken and is kept, then what waits
  std::size_t taken_here_ = 0;  ///< how many of those were taken
  std::size_t bytes_ = 0;       ///< of what waits
  std::size_t kept_bytes_ = 0;  ///< of what was taken
  std::size_t kept_bytes_max_;
  std::uint64_t first_number_ = 1;  ///< of queue_.front()
  std::uint64_t taken_ = 0;
  std::uint64_t hold_behind_ = no_hold;
};

}  // namespace verbatim::session
