// Bounds the memory of large messages in all sessions together (server.large_message_bytes). A
// message beyond small_message_bytes_max asks for memory as it arrives, and reading waits until it
// is granted. Small messages are not counted.
//
// Invariant: at most `bytes_max` bytes are granted, in four parts:
//   - Moving: messages that are being read or wait to be sent.
//   - First parts: used when the moving part is full, for the first part of a message whose owner
//     holds nothing. So a medium-sized message does not wait for owners that hold much.
//   - One lane, as large as the largest message. When the moving part is full, the message that has
//     waited longest gets the lane for all it still needs. So one message can always be finished,
//     and its end makes room for the next: no deadlock.
//   - Kept: messages that were sent and may be needed again. No message waits for this part; one
//     that does not fit is dropped.
//
// Waiting messages are served in the order of their requests. Time-outs elsewhere bound how long a
// share is held: for reading (ws_peer), slow clients and lost providers.
//
// Messages have owners. One owner holds at most a quarter of the moving part. Beyond that only one
// of its messages, the leader, may go on, so that it can end and make room. The owner's other
// messages wait for it; messages of other owners do not. Of the kept part, one owner has at most
// half, or one message.
//
// Any thread: a mutex, taken once a MiB. Must outlive its shares.
#pragma once

#include <cstddef>
#include <cstdint>
#include <deque>
#include <functional>
#include <memory>
#include <mutex>
#include <string>
#include <unordered_map>

#include "session/protocol/message_memory.hpp"

namespace verbatim::net {

class LargeMessages {
 public:
  /// Sizes in bytes. Precondition: largest <= bytes_max.
  /// `bytes_max`: limit for all messages.
  /// `largest`: limit for one message.
  /// `first`: size of the first part of a message.
  LargeMessages(std::size_t bytes_max, std::size_t largest, std::size_t first = 0);
  /// Changes the first two limits. Memory that is granted stays, so that the invariant holds again
  /// once those messages have ended.
  void set_limits(std::size_t bytes_max, std::size_t largest);

  class Share;

 private:
  /// Exists as long as the owner has a share.
  struct Owner {
    std::size_t shares = 0;
    std::size_t moving = 0;  ///< bytes, in any part
    std::size_t kept = 0;
    const Share* leader = nullptr;
  };
  using Owners = std::unordered_map<std::string, Owner>;

 public:
  class Share final : public protocol::MessageMemory {
   public:
    /// `owner`: owner of the message; empty: no owner's limit applies.
    explicit Share(LargeMessages& all, const std::string& owner = {});
    ~Share() override;
    Share(const Share&) = delete;
    Share& operator=(const Share&) = delete;

    /// The message is going to have `bytes` bytes in all. Returns true if they are granted.
    /// Otherwise `granted` is called once they are, on the thread that made the room; it must
    /// return at once.
    bool grow(std::size_t bytes, std::function<void()> granted);
    void resize(std::size_t bytes) override;
    bool keep() override;
    void sent() override;

   private:
    friend class LargeMessages;
    LargeMessages& all_;
    Owners::value_type* owner_ = nullptr;
    std::size_t moving_ = 0;    ///< bytes of the moving part
    std::size_t in_first_ = 0;  ///< bytes of the part for first parts
    std::size_t in_lane_ = 0;   ///< bytes of the lane
    std::size_t kept_ = 0;
    std::size_t bytes_ = 0;   ///< granted size of the message in bytes
    std::size_t wanted_ = 0;  ///< requested size while it waits
    std::function<void()> granted_;
  };

  struct Counts {
    std::size_t moving = 0;  ///< bytes
    std::size_t kept = 0;    ///< bytes
    std::size_t waiting = 0;
    std::uint64_t waits = 0;
  };
  Counts counts() const;

 private:
  enum class Answer { granted, waits_for_owner, waits_for_all };
  /// Parameter of a function that needs the mutex: the caller shows that it holds it.
  using Lock = std::lock_guard<std::mutex>;
  Answer admit(Share& share, bool in_turn, const Lock& lock);
  bool exceeds_owner(const Share& share, std::size_t more, const Lock&) const;
  bool is_first(const Share& share, const Lock&) const;
  void set_parts(std::size_t bytes_max, std::size_t largest, const Lock&);
  void serve(const Lock& lock);
  void let_go(Share& share, const Lock&);

  mutable std::mutex mutex_;
  std::size_t kept_max_ = 0;
  std::size_t firsts_max_ = 0;
  std::size_t moving_max_ = 0;  ///< without the lane and the first parts
  const std::size_t first_;
  std::size_t moving_ = 0;
  std::size_t in_first_ = 0;
  std::size_t kept_ = 0;
  Share* lane_ = nullptr;
  std::deque<Share*> waiting_;
  bool full_ = false;  ///< a message waits for a common part: later ones take nothing from it
  std::uint64_t waits_ = 0;
  Owners owners_;
};

}  // namespace verbatim::net
