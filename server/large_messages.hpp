// How much memory large messages take, in all sessions together (server.large_message_bytes). A
// message beyond small_message_bytes_max asks for its share while it comes, and reading waits until
// there is one; small messages never come here.
//
// Invariant: what is given out is at most `bytes_max`, in three parts.
//   - What moves: messages that are being read, or wait to be sent.
//   - One lane, as large as the largest message. If what moves is full, the first that waits gets
//     the lane for all it still needs. So one message can always be finished, whatever the others
//     hold, and its end makes room for the next: no deadlock.
//   - What is kept: messages that were sent and may be wanted again. Nobody waits for this part; a
//     message that does not fit into it is dropped.
// Whoever waits is served in the order of asking. That nobody holds a share for ever is the
// business of time-outs: of reading (ws_peer), of slow clients, of lost providers.
//
// Any thread: a lock, taken once a MiB. Outlives its shares.
#pragma once

#include <cstddef>
#include <cstdint>
#include <deque>
#include <functional>
#include <memory>
#include <mutex>

#include "session/message_memory.hpp"

namespace verbatim::server {

class LargeMessages {
 public:
  /// `largest`: of one message. Precondition: largest <= bytes_max.
  LargeMessages(std::size_t bytes_max, std::size_t largest);

  class Share final : public session::MessageMemory {
   public:
    explicit Share(LargeMessages& all) : all_(all) {}
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
    std::size_t moving_ = 0;   ///< bytes of the common part
    std::size_t in_lane_ = 0;  ///< bytes of the lane
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
  bool admit(Share& share);
  void serve();
  void let_go(Share& share);

  mutable std::mutex mutex_;
  const std::size_t kept_max_;
  const std::size_t moving_max_;  ///< without the lane
  std::size_t moving_ = 0;
  std::size_t kept_ = 0;
  Share* lane_ = nullptr;
  std::deque<Share*> waiting_;
  std::uint64_t waits_ = 0;
};

}  // namespace verbatim::server
