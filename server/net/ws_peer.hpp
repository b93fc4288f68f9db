// A WebSocket connection after its upgrade (RFC 6455): the client's or the server's end, with TLS
// or without.
//
// One thread; last_heard() may be called on any. Owns the transport. Network errors are
// error_codes; a peer's fault is a kind of Received.
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

namespace verbatim::net {

struct WebSocketLimits {
  std::size_t message_bytes_max = 1024 * 1024;
  LargeMessages* large = nullptr;             ///< null: large messages have no common limit
  std::string large_owner = {};               ///< owner that large messages are counted for
  std::chrono::milliseconds large_timeout{};  ///< for each MiB, if `large` is set
};

class WsPeer final : public Peer {
 public:
  /// `early`: bytes that the peer sent directly behind its part of the upgrade.
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
      over,         ///< the requested frame has been read
      waits,        ///< must wait for the socket
      yield,        ///< it has used its share of the thread's time
      needs_room,   ///< the message needs memory to go on
      pong_pending  ///< a ping was read; its pong has not left yet
    };
    Kind kind;
    Socket::wait_type for_what = Socket::wait_read;
    std::size_t wanted = 0;  ///< size of the message in bytes, with kind needs_room
  };
  /// Shared with the callback that grants memory, which may run on any thread.
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
  /// Writes from the front of `bytes`, and leaves there what the connection did not accept.
  Sent write(std::string_view& bytes);
  std::uint32_t fresh_key();
  void heard();

  const WsRole role_;
  const WebSocketLimits limits_;
  Transport transport_;
  FrameReader reader_;
  std::string input_;         ///< bytes that were read together with the frame returned last
  std::size_t input_at_ = 0;  ///< offset of the first unused byte of `input_`
  std::string unsent_;        ///< encoded frames to send; the first may have left in part
  std::size_t unsent_at_ = 0;
  std::size_t read_without_waiting_ = 0;
  bool reading_ = false;
  bool close_sent_ = false;
  bool close_came_ = false;
  bool broken_ = false;  ///< the peer broke the protocol: nothing more can be read
  AsyncEvent read_over_;
  std::atomic<Clock::rep> last_heard_;
  std::shared_ptr<LargeMessages::Share> share_;  ///< memory of the large message that is being read
  std::shared_ptr<Room> room_;                   ///< null before the first request for memory
  std::atomic<bool> awaits_room_{false};
  bool too_slow_ = false;
  Clock::time_point due_ = Clock::time_point::max();  ///< deadline for the next MiB
};

}  // namespace verbatim::net
