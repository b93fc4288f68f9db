#include "server/net/ws_peer.hpp"

#include <openssl/rand.h>

#include <algorithm>
#include <boost/asio/post.hpp>
#include <tuple>
#include <utility>

namespace verbatim::net {
namespace {

/// Size of the read buffer: a whole TLS record. All connections of a thread share one buffer, since
/// its bytes are used up before other code runs.
constexpr std::size_t scratch_bytes = SSL3_RT_MAX_PLAIN_LENGTH;
/// After this many bytes without a wait, a connection yields to others.
constexpr std::size_t turn_bytes_max = 64 * 1024;
/// Buffer bytes that a silent connection keeps at most.
constexpr std::size_t idle_bytes_max = 512;

using Scratch = std::array<char, scratch_bytes>;

void forget(std::string& used) {
  used.clear();
  if (used.capacity() > idle_bytes_max) std::string().swap(used);
}

}  // namespace

/// Marks that a read is in progress, until it is destroyed.
class WsPeer::Reading {
 public:
  explicit Reading(WsPeer& peer) : peer_(peer) { peer_.reading_ = true; }
  ~Reading() {
    peer_.reading_ = false;
    peer_.read_over_.notify();
  }
  Reading(const Reading&) = delete;
  Reading& operator=(const Reading&) = delete;

 private:
  WsPeer& peer_;
};

/// Collects frames that leave together, in one TLS record and one system call.
class WsPeer::FrameBatch {
 public:
  explicit FrameBatch(WsPeer& peer) : peer_(peer) {}

  void add(Opcode opcode, std::string_view payload) {
    const std::uint32_t key = peer_.role_ == WsRole::client ? peer_.fresh_key() : 0;
    const FrameHead head = frame_head(peer_.role_, opcode, payload.size(), key);
    if (scratch().size() - size_ < head.size) flush();
    std::copy_n(head.bytes.data(), head.size, scratch().data() + size_);
    size_ += head.size;
    for (std::size_t at = 0; at < payload.size();) {
      if (size_ == scratch().size()) flush();
      const std::size_t part = std::min(payload.size() - at, scratch().size() - size_);
      if (peer_.role_ == WsRole::client) {
        apply_mask(scratch().data() + size_, payload.data() + at, part, key, at % 4);
      } else {
        std::copy_n(payload.data() + at, part, scratch().data() + size_);
      }
      size_ += part;
      at += part;
    }
  }

  Sent finish() {
    flush();
    return sent_;
  }

 private:
  static Scratch& scratch() {
    static thread_local Scratch made;
    return made;
  }

  void flush() {
    std::string_view bytes(scratch().data(), std::exchange(size_, 0));
    if (sent_.ec) return;
    if (peer_.unsent_.empty()) sent_ = peer_.write(bytes);
    if (sent_.ec || bytes.empty()) return;
    peer_.unsent_.append(bytes);
    sent_.waits = true;
  }

  WsPeer& peer_;
  std::size_t size_ = 0;
  Sent sent_;
};

WsPeer::WsPeer(WsRole role, Transport transport, WebSocketLimits limits, std::string early)
    : role_(role),
      limits_(std::move(limits)),
      transport_(std::move(transport)),
      reader_(role == WsRole::client ? WsRole::server : WsRole::client, limits.message_bytes_max,
              limits.large != nullptr ? small_message_bytes_max : limits.message_bytes_max),
      input_(std::move(early)),
      read_over_(transport_.get_executor()),
      last_heard_(Clock::now().time_since_epoch().count()) {}

void WsPeer::heard() {
  last_heard_.store(Clock::now().time_since_epoch().count(), std::memory_order_relaxed);
}

Clock::time_point WsPeer::last_heard() const {
  if (awaits_room_.load(std::memory_order_relaxed))
    return Clock::now();  // reading is paused: its silence is not the peer's
  return Clock::time_point(Clock::duration(last_heard_.load(std::memory_order_relaxed)));
}

// ---- reading -------------------------------------------------------------------------------

Awaitable<Received> WsPeer::read() {
  while (reading_) co_await read_over_.wait();  // close() reads too
  const Reading until_it_returns(*this);
  Received got;
  for (bool over = false; !over;) {
    switch (Step step = next_step(got); step.kind) {
      case Step::Kind::over:
        over = true;
        break;
      case Step::Kind::waits: {
        error_code ec;
        if (due_ == Clock::time_point::max()) {
          // The usual case. It avoids another coroutine, which would allocate a frame for each
          // message.
          std::tie(ec) = co_await transport_.wait(step.for_what, use_tuple);
        } else {
          ec = co_await await_bytes_in_time(step.for_what);
        }
        over = static_cast<bool>(ec);
        if (!over) break;
        got.reason = ec.message();
        if (!std::exchange(too_slow_, false)) break;
        forget_message();
        got.kind = Received::Kind::too_slow;
        got.reason = "a large message took too long";
        break;
      }
      case Step::Kind::yield:
        co_await asio::post(transport_.get_executor(), asio::use_awaitable_t<Executor>());
        break;
      case Step::Kind::needs_room:
        co_await await_room(step.wanted);
        over = !transport_.socket().is_open();
        got.reason = over ? "the connection was cut" : std::string();
        break;
      case Step::Kind::pong_pending:
        // Backpressure: stop reading from a peer that sends pings but does not drain our pongs.
        co_await drain();
    }
  }
  co_return got;
}

/// Waits for bytes of a large message. If they are late, the wait ends with an error and sets
/// too_slow_.
Awaitable<error_code> WsPeer::await_bytes_in_time(Socket::wait_type for_what) {
  const Deadline deadline(transport_.get_executor(),
                          std::max(due_ - Clock::now(), Clock::duration(0)), [this] {
                            too_slow_ = true;
                            error_code ignored;
                            transport_.socket().cancel(ignored);  // drain() waits again
                          });
  const auto [ec] = co_await transport_.wait(for_what, use_tuple);
  if (!ec) too_slow_ = false;
  co_return ec;
}

// ---- memory of large messages --------------------------------------------------------------

bool WsPeer::ask_for_room(std::size_t bytes) {
  if (limits_.large == nullptr) return true;
  room_ = std::make_shared<Room>(
      transport_.get_executor());  // a new one, so that an earlier grant cannot notify it
  if (!share_) share_ = std::make_shared<LargeMessages::Share>(*limits_.large, limits_.large_owner);
  return share_->grow(bytes, [room = room_, executor = transport_.get_executor()] {
    asio::post(executor, [room] {
      room->granted = true;
      room->event.notify();
    });
  });
}

Awaitable<void> WsPeer::await_room(std::size_t bytes) {
  due_ = Clock::time_point::max();  // the peer does not cause this wait
  awaits_room_.store(true, std::memory_order_relaxed);
  while (share_ && !room_->granted && transport_.socket().is_open()) co_await room_->event.wait();
  awaits_room_.store(false, std::memory_order_relaxed);
  heard();
  if (share_ && room_->granted) may_grow(bytes);
}

void WsPeer::may_grow(std::size_t bytes) {
  reader_.grant(bytes);
  due_ = Clock::now() + limits_.large_timeout;
}

void WsPeer::forget_message() {
  reader_.skip_message();
  share_.reset();
  due_ = Clock::time_point::max();
}

/// Continues as far as possible without waiting.
WsPeer::Step WsPeer::next_step(Received& got) {
  while (true) {
    FrameReader::Frame frame = next_buffered();
    if (frame.kind == FrameReader::Kind::nothing) {
      if (read_without_waiting_ > turn_bytes_max) {
        read_without_waiting_ = 0;
        return {Step::Kind::yield};
      }
      static thread_local Scratch scratch;
      const Transport::IoResult attempt = transport_.try_read(asio::buffer(scratch));
      if (attempt.waits) {
        read_without_waiting_ = 0;
        return {Step::Kind::waits, attempt.for_what};
      }
      if (attempt.ec) {
        got.reason = attempt.ec.message();
        return {Step::Kind::over};
      }
      heard();
      read_without_waiting_ += attempt.bytes;
      std::string_view came(scratch.data(), attempt.bytes);
      frame = reader_.take(came);
      if (!came.empty()) input_.assign(came);
    }
    switch (frame.kind) {
      case FrameReader::Kind::nothing:
      case FrameReader::Kind::pong:
        continue;
      case FrameReader::Kind::wants_memory:
        if (!ask_for_room(frame.wanted)) {
          return {Step::Kind::needs_room, Socket::wait_read, frame.wanted};
        }
        may_grow(frame.wanted);
        continue;
      case FrameReader::Kind::ping:
        if (send_frame(Opcode::pong, frame.bytes).waits) return {Step::Kind::pong_pending};
        continue;
      default:
        report(frame, got);
        return {Step::Kind::over};
    }
  }
}

FrameReader::Frame WsPeer::next_buffered() {
  if (input_at_ == input_.size()) return {};
  std::string_view left(input_);
  left.remove_prefix(input_at_);
  FrameReader::Frame frame = reader_.take(left);
  input_at_ = input_.size() - left.size();
  if (left.empty()) {
    forget(input_);
    input_at_ = 0;
  }
  return frame;
}

/// Turns a frame into what the driver receives: a message or an end.
void WsPeer::report(FrameReader::Frame& frame, Received& got) {
  got.bytes = std::move(frame.bytes);
  if (frame.kind == FrameReader::Kind::text || frame.kind == FrameReader::Kind::binary) {
    if (share_) share_->resize(got.bytes.size());
    got.memory = std::exchange(share_, nullptr);
    due_ = Clock::time_point::max();
  }
  switch (frame.kind) {
    case FrameReader::Kind::text:
      got.kind = Received::Kind::message;
      return;
    case FrameReader::Kind::binary:
      got.kind = Received::Kind::binary;
      return;
    case FrameReader::Kind::close:
      close_came_ = true;
      send_close(frame.code, {});
      got.kind = Received::Kind::closed;
      got.close_code = frame.code;
      got.reason = std::exchange(got.bytes, {});
      return;
    case FrameReader::Kind::too_big:
      forget_message();
      got.kind = Received::Kind::too_big;
      got.reason =
          "a message has more than " + std::to_string(limits_.message_bytes_max) + " bytes";
      return;
    default:
      break;
  }
  broken_ = true;
  if (role_ == WsRole::client) send_close(frame.code, {});
  got.kind = Received::Kind::bad_frame;
  got.close_code = frame.code;
  got.reason = "a frame breaks the WebSocket protocol";
}

// ---- sending -------------------------------------------------------------------------------

std::uint32_t WsPeer::fresh_key() {
  // Masking keys must be unpredictable (RFC 6455, section 10.3).
  static thread_local std::array<std::uint32_t, 256> keys;
  static thread_local std::size_t used = keys.size();
  if (used == keys.size()) {
    RAND_bytes(reinterpret_cast<unsigned char*>(keys.data()), sizeof keys);
    used = 0;
  }
  return keys[used++];
}

Sent WsPeer::write(std::string_view& bytes) {
  Sent sent;
  while (!bytes.empty()) {
    const auto piece = bytes.substr(0, scratch_bytes);
    const Transport::IoResult attempt =
        transport_.try_write(asio::buffer(piece.data(), piece.size()));
    if (attempt.waits || attempt.ec) {
      sent.waits = attempt.waits;
      sent.ec = attempt.ec;
      break;
    }
    bytes.remove_prefix(attempt.bytes);
  }
  return sent;
}

Sent WsPeer::send(std::span<const Outgoing> events) {
  if (close_sent_) return {false, asio::error::operation_aborted};
  FrameBatch together(*this);
  for (const Outgoing& event : events)
    together.add(event.frame == FrameType::text ? Opcode::text : Opcode::binary, *event.bytes);
  return together.finish();
}

Sent WsPeer::send_frame(Opcode opcode, std::string_view payload) {
  if (close_sent_) return {false, asio::error::operation_aborted};
  FrameBatch one(*this);
  one.add(opcode, payload);
  return one.finish();
}

Sent WsPeer::send_close(std::uint16_t code, std::string_view reason) {
  // A close frame holds at most 123 bytes of reason; cut between UTF-8 characters.
  if (reason.size() > 123) {
    std::size_t end = 123;
    while (end > 0 && (static_cast<unsigned char>(reason[end]) & 0xC0) == 0x80) --end;
    reason = reason.substr(0, end);
  }
  std::string payload;
  if (code != 0) {
    payload += static_cast<char>(code >> 8);
    payload += static_cast<char>(code & 255);
    payload += reason;
  }
  const Sent sent = send_frame(Opcode::close, payload);
  close_sent_ = true;
  return sent;
}

Awaitable<error_code> WsPeer::drain() {
  while (unsent_at_ < unsent_.size()) {
    std::string_view left(unsent_);
    left.remove_prefix(unsent_at_);
    const std::size_t before = left.size();
    const Transport::IoResult attempt =
        transport_.try_write(asio::buffer(left.data(), std::min(before, scratch_bytes)));
    if (attempt.ec) co_return attempt.ec;
    unsent_at_ += attempt.bytes;
    if (!attempt.waits) continue;
    const auto [ec] = co_await transport_.wait(attempt.for_what, use_tuple);
    const bool cancelled = ec == asio::error::operation_aborted && transport_.socket().is_open();
    if (ec && !cancelled) co_return ec;
  }
  forget(unsent_);
  unsent_at_ = 0;
  co_return error_code();
}

Awaitable<error_code> WsPeer::ping() {
  const Sent sent = send_frame(Opcode::ping, {});
  if (!sent.waits) co_return sent.ec;
  co_return co_await drain();
}

// ---- ends ----------------------------------------------------------------------------------

Awaitable<void> WsPeer::close(std::uint16_t code, std::string reason) {
  if (!close_sent_ && send_close(code, reason).waits && co_await drain()) co_return;
  if (broken_) co_return;
  reader_.skip_messages();
  share_.reset();
  due_ = Clock::time_point::max();
  if (room_) room_->event.notify();
  // The peer's answer ends the read in progress.
  while (reading_) co_await read_over_.wait();
  if (!close_came_) co_await read();
}

Awaitable<void> WsPeer::shut_down() {
  co_await drain();
  co_await transport_.shut_down();
}

void WsPeer::abort() {
  error_code ignored;
  transport_.socket().close(ignored);
  if (room_) room_->event.notify();
}

}  // namespace verbatim::net
