#include "server/net/transport.hpp"

#include <openssl/err.h>
#include <sys/socket.h>

#include <boost/asio/ssl/error.hpp>
#include <cerrno>
#include <new>
#include <optional>

namespace verbatim::net {

namespace {

bool would_block() { return errno == EAGAIN || errno == EWOULDBLOCK || errno == EINTR; }

Transport::IoResult of_call(ssize_t returned, Socket::wait_type for_what) {
  Transport::IoResult result;
  if (returned > 0) {
    result.bytes = static_cast<std::size_t>(returned);
  } else if (returned == 0) {
    result.ec = asio::error::eof;
  } else if (would_block()) {
    result.waits = true;
    result.for_what = for_what;
  } else {
    result.ec = error_code(errno, asio::error::get_system_category());
  }
  return result;
}

}  // namespace

/// Discards received bytes without copying them (tcp(7), MSG_TRUNC).
Transport::IoResult Transport::Line::discard() {
  constexpr std::size_t bytes_max = 256 * 1024;
  const auto got = ::recv(socket.native_handle(), nullptr, bytes_max, MSG_TRUNC | MSG_DONTWAIT);
  return of_call(got, Socket::wait_read);
}

/// Like recv(2). If fewer bytes came than fit, the socket is empty: the next call skips the system
/// call.
ssize_t Transport::Line::receive(void* into, std::size_t size) {
  if (!socket.is_open()) {
    errno = EBADF;
    return -1;
  }
  if (empty) {
    errno = EAGAIN;
    return -1;
  }
  const auto got = ::recv(socket.native_handle(), into, size, 0);
  empty = got > 0 ? static_cast<std::size_t>(got) < size : got < 0 && would_block();
  return got;
}

ssize_t Transport::Line::send(const void* from, std::size_t size) {
  if (!socket.is_open()) {
    errno = EBADF;
    return -1;
  }
  return ::send(socket.native_handle(), from, size, MSG_NOSIGNAL);
}

// A BIO of our own. OpenSSL's socket BIO knows only the descriptor's number, which another
// connection may reuse after a close, and it writes without MSG_NOSIGNAL.
int Transport::bio_read(BIO* bio, char* into, int size) {
  BIO_clear_retry_flags(bio);
  const auto got =
      static_cast<Line*>(BIO_get_data(bio))->receive(into, static_cast<std::size_t>(size));
  if (got < 0 && would_block()) {
    BIO_set_retry_read(bio);
  } else if (got == 0) {
    BIO_set_flags(bio, BIO_FLAGS_IN_EOF);
  }
  return static_cast<int>(got);
}

int Transport::bio_write(BIO* bio, const char* from, int size) {
  BIO_clear_retry_flags(bio);
  const auto sent =
      static_cast<Line*>(BIO_get_data(bio))->send(from, static_cast<std::size_t>(size));
  if (sent < 0 && would_block()) BIO_set_retry_write(bio);
  return static_cast<int>(sent);
}

BIO_METHOD* Transport::bio_method() {
  static BIO_METHOD* const method = [] {
    BIO_METHOD* made = BIO_meth_new(BIO_get_new_index() | BIO_TYPE_SOURCE_SINK, "socket");
    if (made == nullptr) throw std::bad_alloc();
    BIO_meth_set_read(made, &bio_read);
    BIO_meth_set_write(made, &bio_write);
    BIO_meth_set_create(made, [](BIO* bio) {
      BIO_set_init(bio, 1);
      return 1;
    });
    BIO_meth_set_ctrl(made, [](BIO* bio, int command, long, void*) -> long {
      if (command == BIO_CTRL_EOF) return BIO_test_flags(bio, BIO_FLAGS_IN_EOF) != 0;
      return command == BIO_CTRL_FLUSH;
    });
    return made;
  }();
  return method;
}

Transport::Transport(Socket socket) : line_(std::make_unique<Line>(std::move(socket))) {
  error_code ignored;
  line_->socket.native_non_blocking(true, ignored);
}

Transport::Transport(Socket socket, SSL_CTX* context)
    : line_(std::make_unique<Line>(std::move(socket))) {
  line_->tls.reset(SSL_new(context));
  BIO* const bio = BIO_new(bio_method());
  if (!line_->tls || bio == nullptr) {
    BIO_free(bio);
    throw std::bad_alloc();
  }
  BIO_set_data(bio, line_.get());
  SSL_set_bio(line_->tls.get(), bio, bio);
  SSL_set_mode(line_->tls.get(), SSL_MODE_RELEASE_BUFFERS | SSL_MODE_ENABLE_PARTIAL_WRITE |
                                     SSL_MODE_ACCEPT_MOVING_WRITE_BUFFER);
  // Read a record with one recv(), not its head and its body with one each.
  SSL_set_read_ahead(line_->tls.get(), 1);
  error_code ignored;
  line_->socket.native_non_blocking(true, ignored);
}

Transport::IoResult Transport::Line::judge(int returned, std::size_t bytes) {
  const int failed = errno;
  IoResult result;
  if (returned > 0) {
    result.bytes = bytes;
    return result;
  }
  switch (SSL_get_error(tls.get(), returned)) {
    case SSL_ERROR_WANT_READ:
      result.waits = true;
      result.for_what = Socket::wait_read;
      break;
    case SSL_ERROR_WANT_WRITE:
      result.waits = true;
      result.for_what = Socket::wait_write;
      break;
    case SSL_ERROR_ZERO_RETURN:
      result.ec = asio::error::eof;
      break;
    case SSL_ERROR_SYSCALL:
      result.ec = failed != 0 ? error_code(failed, asio::error::get_system_category())
                              : error_code(asio::ssl::error::stream_truncated);
      break;
    default:
      result.ec = error_code(static_cast<int>(ERR_get_error()), asio::error::get_ssl_category());
      if (ERR_GET_REASON(static_cast<unsigned long>(result.ec.value())) ==
          SSL_R_UNEXPECTED_EOF_WHILE_READING) {
        result.ec = asio::ssl::error::stream_truncated;
      }
      if (!result.ec) result.ec = asio::ssl::error::unspecified_system_error;
  }
  return result;
}

Transport::IoResult Transport::Line::read(void* into, std::size_t size) {
  // OpenSSL would allocate a buffer and free it again, only to find no data.
  if (empty && SSL_has_pending(tls.get()) == 0) {
    SSL_free_buffers(tls.get());
    IoResult nothing;
    nothing.waits = true;
    return nothing;
  }
  ERR_clear_error();
  errno = 0;
  std::size_t got = 0;
  const int returned = SSL_read_ex(tls.get(), into, size, &got);
  return judge(returned, got);
}

Transport::IoResult Transport::Line::write(const void* from, std::size_t size) {
  ERR_clear_error();
  errno = 0;
  std::size_t put = 0;
  const int returned = SSL_write_ex(tls.get(), from, size, &put);
  return judge(returned, put);
}

Transport::IoResult Transport::try_read(asio::mutable_buffer into) {
  if (line_->tls) return line_->read(into.data(), into.size());
  return of_call(line_->receive(into.data(), into.size()), Socket::wait_read);
}

Transport::IoResult Transport::try_write(asio::const_buffer from) {
  if (line_->tls) return line_->write(from.data(), from.size());
  return of_call(line_->send(from.data(), from.size()), Socket::wait_write);
}

Transport::IoResult Transport::Line::shake() {
  ERR_clear_error();
  errno = 0;
  return judge(SSL_do_handshake(tls.get()), 0);
}

Awaitable<error_code> Transport::handshake(Role role, std::shared_ptr<Turns> turns) {
  if (role == Role::server) {
    SSL_set_accept_state(tls());
  } else {
    SSL_set_connect_state(tls());
  }
  line_->turns = std::move(turns);
  while (true) {
    IoResult result;
    {
      std::optional<Turns::Turn> turn;
      if (line_->turns) turn.emplace(co_await line_->turns->take());
      result = line_->shake();
    }
    if (!result.waits) co_return result.ec;
    const auto [ec] = co_await wait(result.for_what, use_tuple);
    if (ec) co_return ec;
  }
}

Awaitable<void> Transport::shut_down() {
  error_code ec;
  while (line_->tls && SSL_is_init_finished(tls())) {
    ERR_clear_error();
    errno = 0;
    const IoResult result = line_->judge(SSL_shutdown(tls()), 0);
    // No wait for the peer's close_notify here: the loop below waits for the end of its half.
    if (!result.waits || result.for_what == Socket::wait_read) break;
    std::tie(ec) = co_await socket().async_wait(Socket::wait_write, use_tuple);
    if (ec) co_return;
  }
  socket().shutdown(tcp::socket::shutdown_send, ec);
  while (!ec) {
    std::tie(ec) = co_await socket().async_wait(Socket::wait_read, use_tuple);
    if (ec) break;
    std::optional<Turns::Turn> turn;
    if (line_->turns) turn.emplace(co_await line_->turns->take());
    ec = line_->discard().ec;
  }
}

}  // namespace verbatim::net
