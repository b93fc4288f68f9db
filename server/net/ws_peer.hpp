// A connection that speaks WebSocket, after its upgrade: either end of it, over TLS or not.
#pragma once

#include <atomic>
#include <chrono>
#include <cstddef>
#include <memory>
#include <string>
#include <vector>

#include "server/net/large_messages.hpp"
#include "server/net/peer.hpp"
#include "server/net/transport.hpp"
#include "server/net/ws_frame.hpp"

namespace verbatim::server {

struct WebSocketLimits {
  std::size_t message_bytes_max = 1024 * 1024;
  LargeMessages* large = nullptr;                   ///< null: their memory has no common bound
  std::string large_owner = {};                     ///< whose part of that it is
  std::chrono::milliseconds large_timeout{30'000};  ///< of each MiB of a large message
};

class WsPeer final : public Peer {
 public:
  /// `early`: what the other end has sent behind its part of the upgrade.
  WsPeer(WsRole role, Transport transport, WebSocketLimits limits, std::string early = {});

  Awaitable<Received> read() override;
  Sent send(std::span<const Outgoing> events) override;
  Awaitable<error_code> drain() override;
  Awaitable<error_code> ping() override;
  Awaitable<void> close(std::uint16_t code, std::string reason) override;
  Awaitable<void> shut_down() override;
  void abort() override;
  Clock::time_point last_heard() const override;

 private:
  class FrameBatch;
  class Reading;

  struct Step {
    enum class Kind {
      over,         ///< what was asked for is there
      waits,        ///< for the connection
      yield,        ///< it has had its share of the thread
      needs_room,   ///< the message may not grow any more for now
      pong_pending  ///< a ping, but the answer has not left
    };
    Kind kind;
    Socket::wait_type for_what = Socket::wait_read;
    std::size_t wanted = 0;  ///< bytes of the message, where it needs room
  };
  /// Shared with whoever makes room, on any thread.
  struct Room {
    explicit Room(const Executor& executor) : event(executor) {}
    AsyncEvent event;
    bool granted = false;
  };
  bool ask_for_room(std::size_t bytes);
  Awaitable<void> await_room(std::size_t bytes);
  Awaitable<error_code> await_bytes_in_time(Socket::wait_type for_what);
  void may_grow(std::size_t bytes);
  void forget_message();
  Step next_step(Received& got);
  FrameReader::Frame next_buffered();
  void report(FrameReader::Frame& frame, Received& got);
  Sent send_frame(Opcode opcode, std::string_view payload);
  Sent send_close(std::uint16_t code, std::string_view reason);
  /// From the front of `bytes`, which is left at what the connection did not take.
  Sent write(std::string_view& bytes);
  std::uint32_t fresh_key();
  void heard();

  const WsRole role_;
  const WebSocketLimits limits_;
  Transport transport_;
  FrameReader reader_;
  std::string input_;         ///< came together with a frame that was given out
  std::size_t input_at_ = 0;  ///< how much of it is used up
  std::string unsent_;        ///< frames, as they go out; the first has begun perhaps
  std::size_t unsent_at_ = 0;
  std::size_t read_without_waiting_ = 0;
  bool reading_ = false;
  bool close_sent_ = false;
  bool close_came_ = false;
  bool broken_ = false;  ///< what comes can not be understood any more
  AsyncEvent read_over_;
  std::atomic<Clock::rep> last_heard_;
  std::shared_ptr<LargeMessages::Share> share_;  ///< of the large message that is being read
  std::shared_ptr<Room> room_;                   ///< once there was one
  std::atomic<bool> awaits_room_{false};
  bool too_slow_ = false;
  Clock::time_point due_ = Clock::time_point::max();  ///< of the next MiB
};

}  // namespace verbatim::server
