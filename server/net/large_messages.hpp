// How much memory large messages take, in all sessions together (server.large_message_bytes). A
// message beyond small_message_bytes_max asks for its share while it comes, and reading waits until
// there is one; small messages never come here.
//
// Invariant: what is given out is at most `bytes_max`, in four parts.
//   - What moves: messages that are being read, or wait to be sent.
//   - First parts: where what moves is full, the first part of a message of an owner who holds
//     nothing. So one message of middling size does not wait for those who hold much.
//   - One lane, as large as the largest message. If what moves is full, the first that waits gets
//     the lane for all it still needs. So one message can always be finished, whatever the others
//     hold, and its end makes room for the next: no deadlock.
//   - What is kept: messages that were sent and may be wanted again. Nobody waits for this part; a
//     message that does not fit into it is dropped.
// Whoever waits is served in the order of asking. That nobody holds a share for ever is the
// business of time-outs: of reading (ws_peer), of slow clients, of lost providers.
//
// Messages have owners. Those of one owner hold at most a quarter of what moves; beyond that one of
// them, the leader, may go on until it has ended, so that it makes room for the next. The others
// wait for it, and nobody waits for them. Of what is kept, an owner has half at most, or one
// message.
//
// Any thread: a lock, taken once a MiB. Outlives its shares.
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

namespace verbatim::server {

class LargeMessages {
 public:
  /// `largest`: of one message. `first`: of a message's first part. Precondition: largest <=
  /// bytes_max.
  LargeMessages(std::size_t bytes_max, std::size_t largest, std::size_t first = 0);

  class Share;

 private:
  /// Exists as long as a share of it.
  struct Owner {
    std::size_t shares = 0;
    std::size_t moving = 0;  ///< bytes, in whichever part
    std::size_t kept = 0;
    const Share* leader = nullptr;
  };
  using Owners = std::unordered_map<std::string, Owner>;

 public:
  class Share final : public session::MessageMemory {
   public:
    /// `owner`: of the message; empty: nobody's, bound by no owner's part.
    explicit Share(LargeMessages& all, const std::string& owner = {});
    ~Share() override;
    Share(const Share&) = delete;
    Share& operator=(const Share&) = delete;

    /// The message will have this many bytes. True: it may. False: `granted` is called once it may,
    /// on whatever thread made the room, and must return at once.
    bool grow(std::size_t bytes, std::function<void()> granted);
    void resize(std::size_t bytes) override;
    bool keep() override;
    void sent() override;

   private:
    friend class LargeMessages;
    LargeMessages& all_;
    Owners::value_type* owner_ = nullptr;
    std::size_t moving_ = 0;    ///< bytes of the common part
    std::size_t in_first_ = 0;  ///< bytes of the part for first ones
    std::size_t in_lane_ = 0;   ///< bytes of the lane
    std::size_t kept_ = 0;
    std::size_t bytes_ = 0;   ///< of the message, as far as it has been granted
    std::size_t wanted_ = 0;  ///< while it waits
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
  Answer admit(Share& share, bool in_turn);
  bool exceeds_owner(const Share& share, std::size_t more) const;
  bool is_first(const Share& share) const;
  void serve();
  void let_go(Share& share);

  mutable std::mutex mutex_;
  const std::size_t kept_max_;
  const std::size_t firsts_max_;
  const std::size_t moving_max_;  ///< without the lane and the first parts
  const std::size_t first_;
  std::size_t moving_ = 0;
  std::size_t in_first_ = 0;
  std::size_t kept_ = 0;
  Share* lane_ = nullptr;
  std::deque<Share*> waiting_;
  bool full_ = false;  ///< one of them waits for what all share: nobody behind it takes of that
  std::uint64_t waits_ = 0;
  Owners owners_;
};

}  // namespace verbatim::server
