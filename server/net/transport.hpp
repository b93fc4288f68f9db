// A connected byte stream, TCP or TLS over TCP, for HTTP and WebSocket. One type for both, so that
// Beast is compiled once.
//
// TLS is OpenSSL directly on the socket. Asio's stream keeps two buffers of 17 KiB and a pair of
// memory BIOs of the same size for each connection. Here OpenSSL holds a buffer only while a record
// is in it, so a silent connection costs little more than its keys.
//
// There are two ways to use it, one after the other:
// - as an Asio stream, for Beast's HTTP;
// - with try_read(), try_write() and wait(). These need no turn of the event loop if an operation
//   can be done at once.
//
// Movable; one thread. Owns the socket. One read and one write at a time; they may overlap. Closing
// the socket ends them with an error. Errors are error_codes.
#pragma once

#include <openssl/ssl.h>
#include <sys/types.h>

#include <algorithm>
#include <array>
#include <boost/asio/buffer.hpp>
#include <boost/asio/buffers_iterator.hpp>
#include <boost/asio/compose.hpp>
#include <boost/asio/post.hpp>
#include <cstddef>
#include <memory>
#include <utility>

#include "server/net/async.hpp"
#include "server/net/turns.hpp"

namespace verbatim::net {

class Transport {
 public:
  using executor_type = Executor;

  /// Plain TCP.
  explicit Transport(Socket socket);
  /// TLS, after handshake(). Throws std::bad_alloc.
  Transport(Socket socket, SSL_CTX* context);

  executor_type get_executor() { return line_->socket.get_executor(); }
  Socket& socket() { return line_->socket; }
  SSL* tls() { return line_->tls.get(); }  ///< null: plain

  enum class Role { client, server };
  /// Does the TLS handshake. One step computes for up to a millisecond. `turns` limits how often
  /// such steps run; shut_down() then uses it too.
  Awaitable<error_code> handshake(Role role, std::shared_ptr<Turns> turns = nullptr);

  /// Ends our half (with close_notify in TLS) and discards incoming bytes until the peer ends its
  /// half. Closing a socket with unread bytes sends a reset, which may overtake the last bytes
  /// sent. The caller sets the time limit, by closing the socket.
  Awaitable<void> shut_down();

  /// Result of one attempt: bytes, an error, or the event to wait for.
  struct IoResult {
    std::size_t bytes = 0;
    error_code ec;
    bool waits = false;
    Socket::wait_type for_what = Socket::wait_read;
  };
  /// Reads or writes at once or not at all. A write takes at most one TLS record. Bytes of a write
  /// that had to wait must be offered again; more may follow them.
  IoResult try_read(asio::mutable_buffer into);
  IoResult try_write(asio::const_buffer from);
  /// Waits until another attempt makes sense; completes with an error_code.
  template <class Token>
  auto wait(Socket::wait_type for_what, Token&& token) {
    if (for_what == Socket::wait_read) line_->empty = false;
    return line_->socket.async_wait(for_what, std::forward<Token>(token));
  }

  /// Asio's AsyncReadStream. The end is asio::error::eof, or asio::ssl::error::stream_truncated if
  /// TLS ended without close_notify.
  template <class Buffers, class Token>
  auto async_read_some(const Buffers& buffers, Token&& token) {
    return asio::async_compose<Token, void(error_code, std::size_t)>(Read<Buffers>{*line_, buffers},
                                                                     token, line_->socket);
  }

  /// Asio's AsyncWriteStream.
  template <class Buffers, class Token>
  auto async_write_some(const Buffers& buffers, Token&& token) {
    return asio::async_compose<Token, void(error_code, std::size_t)>(
        Write<Buffers>{*line_, buffers}, token, line_->socket);
  }

 private:
  struct FreeTls {
    void operator()(SSL* tls) const { SSL_free(tls); }
  };
  /// Never moves: OpenSSL's BIO points to it.
  struct Line {
    explicit Line(Socket with) : socket(std::move(with)) {}
    IoResult read(void* into, std::size_t size);
    IoResult write(const void* from, std::size_t size);
    IoResult shake();
    IoResult judge(int returned, std::size_t bytes);
    ssize_t receive(void* into, std::size_t size);
    ssize_t send(const void* from, std::size_t size);
    IoResult discard();
    Socket socket;
    std::shared_ptr<Turns> turns;
    /// The last read emptied the socket: wait before the next read.
    bool empty = false;
    std::unique_ptr<SSL, FreeTls> tls;
  };
  static int bio_read(BIO* bio, char* into, int size);
  static int bio_write(BIO* bio, const char* from, int size);
  static BIO_METHOD* bio_method();

  /// Calls OpenSSL, waits for the socket if necessary, and calls again. Never completes within the
  /// initiating call, as Asio demands.
  template <class Buffers>
  struct Read {
    Line& line;
    Buffers buffers;
    bool begun = false;
    IoResult result{};

    template <class Self>
    void operator()(Self& self, error_code ec = {}, std::size_t bytes = 0) {
      if (!line.tls) {
        if (std::exchange(begun, true)) return self.complete(ec, bytes);
        return line.socket.async_read_some(buffers, std::move(self));
      }
      const bool first = !std::exchange(begun, true);
      if (!result.waits && !first) return self.complete(result.ec, result.bytes);
      if (ec) return self.complete(ec, 0);
      if (!first) line.empty = false;
      result = {};
      for (auto at = asio::buffer_sequence_begin(buffers); at != asio::buffer_sequence_end(buffers);
           ++at) {
        const asio::mutable_buffer buffer(*at);
        if (buffer.size() == 0) continue;
        result = line.read(buffer.data(), buffer.size());
        break;
      }
      if (result.waits) return line.socket.async_wait(result.for_what, std::move(self));
      if (first) return asio::post(line.socket.get_executor(), std::move(self));
      self.complete(result.ec, result.bytes);
    }
  };

  template <class Buffers>
  struct Write {
    Line& line;
    Buffers buffers;
    bool begun = false;
    IoResult result{};

    template <class Self>
    void operator()(Self& self, error_code ec = {}, std::size_t bytes = 0) {
      if (!line.tls) {
        if (std::exchange(begun, true)) return self.complete(ec, bytes);
        return line.socket.async_write_some(buffers, std::move(self));
      }
      const bool first = !std::exchange(begun, true);
      if (!result.waits && !first) return self.complete(result.ec, result.bytes);
      if (ec) return self.complete(ec, 0);
      result = write_together();
      if (result.waits) return line.socket.async_wait(result.for_what, std::move(self));
      if (first) return asio::post(line.socket.get_executor(), std::move(self));
      self.complete(result.ec, result.bytes);
    }

    /// Joins the buffers (a frame's head and its payload) into one TLS record.
    IoResult write_together() {
      static thread_local std::array<char, SSL3_RT_MAX_PLAIN_LENGTH> record;
      std::size_t size = 0;
      for (auto at = asio::buffer_sequence_begin(buffers); at != asio::buffer_sequence_end(buffers);
           ++at) {
        const asio::const_buffer buffer(*at);
        if (size == 0 && buffer.size() >= record.size()) {
          return line.write(buffer.data(), record.size());
        }
        const std::size_t fits = std::min(buffer.size(), record.size() - size);
        std::copy_n(static_cast<const char*>(buffer.data()), fits, record.data() + size);
        size += fits;
        if (size == record.size()) break;
      }
      return size == 0 ? IoResult{} : line.write(record.data(), size);
    }
  };

  std::unique_ptr<Line> line_;
};

}  // namespace verbatim::net
