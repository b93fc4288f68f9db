#include "server/ws_peer.hpp"

#include <atomic>
#include <boost/asio/post.hpp>
#include <boost/beast/core/bind_handler.hpp>
#include <boost/beast/core/flat_buffer.hpp>
#include <boost/beast/http/empty_body.hpp>
#include <boost/beast/http/message.hpp>
#include <boost/beast/http/string_body.hpp>
#include <boost/beast/websocket/stream.hpp>
#include <utility>

namespace verbatim::server {

namespace beast = boost::beast;
namespace http = beast::http;
namespace websocket = beast::websocket;

/// Beast calls this at the end of a read or a close, to wait until the peer has hung up as well; a
/// peer that does not would keep from us what it said. That wait is hang_up()'s.
template <class Handler>
void async_teardown(beast::role_type, Transport& transport, Handler&& handler) {
  asio::post(transport.get_executor(),
             beast::bind_front_handler(std::forward<Handler>(handler), error_code()));
}

/// What Beast calls for its own time-outs, which are off.
void beast_close_socket(Transport& transport) {
  error_code ignored;
  transport.socket().close(ignored);
}

namespace {

class WsPeer final : public Peer {
 public:
  WsPeer(Transport transport, WebSocketLimits limits) : ws_(std::move(transport)) {
    ws_.read_message_max(limits.message_bytes_max);
    ws_.auto_fragment(false);           // one event is one frame
    ws_.write_buffer_bytes(16 * 1024);  // masks a usual audio event in one piece
    ws_.set_option(no_timeouts());      // the driver keeps time
    ws_.control_callback([this](websocket::frame_type, beast::string_view) { heard(); });
  }

  websocket::stream<Transport>& stream() { return ws_; }

  Awaitable<Received> read() override {
    Received got;
    auto buffer = asio::dynamic_buffer(got.bytes);
    do {
      const auto [ec, size] = co_await ws_.async_read_some(buffer, 0, use_tuple);
      heard();
      if (ec) {
        describe(ec, got);
        co_return got;
      }
    } while (!ws_.is_message_done());
    got.kind = ws_.got_binary() ? Received::Kind::binary : Received::Kind::message;
    co_return got;
  }

  Awaitable<error_code> write(const std::string& bytes, Frame frame) override {
    ws_.text(frame == Frame::text);
    const auto [ec, size] = co_await ws_.async_write(asio::buffer(bytes), use_tuple);
    co_return ec;
  }

  Awaitable<error_code> ping() override {
    const auto [ec] = co_await ws_.async_ping({}, use_tuple);
    co_return ec;
  }

  Awaitable<void> close(std::uint16_t code, std::string reason) override {
    // A close frame holds 123 bytes of reason; cut on a character's border.
    if (reason.size() > 123) {
      std::size_t end = 123;
      while (end > 0 && (static_cast<unsigned char>(reason[end]) & 0xC0) == 0x80) --end;
      reason.resize(end);
    }
    websocket::close_reason why(static_cast<websocket::close_code>(code));
    why.reason.assign(reason.data(), reason.size());
    co_await ws_.async_close(why, use_tuple);
  }

  Awaitable<void> hang_up() override { co_await ws_.next_layer().hang_up(); }

  void abort() override {
    error_code ignored;
    ws_.next_layer().socket().close(ignored);
  }

  Clock::time_point last_heard() const override {
    return Clock::time_point(Clock::duration(last_heard_.load(std::memory_order_relaxed)));
  }

 private:
  static websocket::stream_base::timeout no_timeouts() {
    return {websocket::stream_base::none(), websocket::stream_base::none(), false};
  }

  void heard() {
    last_heard_.store(Clock::now().time_since_epoch().count(), std::memory_order_relaxed);
  }

  void describe(const error_code& ec, Received& got) {
    got.bytes.clear();
    got.reason = ec.message();
    if (ec == websocket::error::closed) {
      got.kind = Received::Kind::closed;
      got.close_code = ws_.reason().code;
      got.reason.assign(ws_.reason().reason.data(), ws_.reason().reason.size());
    } else if (ec == websocket::error::message_too_big) {
      got.kind = Received::Kind::too_big;
    } else if (ec == websocket::condition::protocol_violation) {
      got.kind = Received::Kind::bad_frame;
    } else {
      got.kind = Received::Kind::failed;
    }
  }

  websocket::stream<Transport> ws_;
  std::atomic<Clock::rep> last_heard_{Clock::now().time_since_epoch().count()};
};

}  // namespace

Awaitable<std::unique_ptr<Peer>> accept_websocket(Transport transport, const HttpRequest& request,
                                                  std::string protocol, WebSocketLimits limits) {
  auto peer = std::make_unique<WsPeer>(std::move(transport), limits);
  http::request<http::empty_body> upgrade;
  upgrade.method(http::verb::get);
  upgrade.target(request.target);
  for (const auto& [name, value] : request.headers) upgrade.insert(name, value);
  peer->stream().set_option(
      websocket::stream_base::decorator([protocol](websocket::response_type& response) {
        response.set(http::field::server, "verbatim");
        if (!protocol.empty()) response.set(http::field::sec_websocket_protocol, protocol);
      }));
  const auto [ec] = co_await peer->stream().async_accept(upgrade, use_tuple);
  if (ec) co_return nullptr;
  co_return std::move(peer);
}

Awaitable<std::variant<std::unique_ptr<Peer>, HandshakeRefused>> open_websocket(
    Transport transport, std::string host, std::string target, HeaderList headers,
    WebSocketLimits limits) {
  auto peer = std::make_unique<WsPeer>(std::move(transport), limits);
  peer->stream().set_option(
      websocket::stream_base::decorator([&headers](websocket::request_type& request) {
        for (const auto& [name, value] : headers) request.set(name, value);
      }));
  websocket::response_type response;
  const auto [ec] = co_await peer->stream().async_handshake(response, host, target, use_tuple);
  if (ec) {
    HandshakeRefused refused;
    refused.reason = ec.message();
    if (ec == websocket::error::upgrade_declined) {
      refused.status = static_cast<int>(response.result_int());
      refused.reason = response.body().empty() ? std::string(response.reason()) : response.body();
    }
    co_return refused;
  }
  co_return std::unique_ptr<Peer>(std::move(peer));
}

}  // namespace verbatim::server
