// Reads HTTP messages with Beast's parser (Boost 1.81), and adds two guarantees: the head is
// bounded, and no peer can end the process. Later minor versions are read as HTTP/1.1.
//
// On the connection's thread. Errors are error_codes; the caller sets the deadlines.
#pragma once

#include <algorithm>
#include <boost/beast/core/flat_buffer.hpp>
#include <boost/beast/http/basic_parser.hpp>
#include <boost/beast/http/error.hpp>
#include <tuple>

#include "server/net/http_version.hpp"
#include "server/net/transport.hpp"

namespace verbatim::net {

/// Limits a message's head. The parser's own header_limit applies only to one call: headers that
/// arrive in separate pieces are accepted without end.
class HeadLimit {
 public:
  explicit HeadLimit(std::size_t bytes_max) : bytes_max_(bytes_max) {}

  /// Feeds the buffer to the parser. Returns true if more bytes are needed.
  template <bool is_request>
  bool feed(boost::beast::http::basic_parser<is_request>& parser, boost::beast::flat_buffer& buffer,
            error_code& ec) {
    namespace http = boost::beast::http;
    ec = {};
    if (buffer.size() > 0) {
      if (used_ == 0) {
        const auto bytes = buffer.data();
        lower_minor_version({static_cast<char*>(bytes.data()), bytes.size()},
                            is_request ? FirstLine::request : FirstLine::response);
      }
      const std::size_t used = parser.put(buffer.data(), ec);
      buffer.consume(used);
      used_ += used;
      if (ec == http::error::need_more) ec = {};
    }
    const std::size_t begun = parser.is_header_done() ? 0 : buffer.size();
    if (!ec && used_ + begun > bytes_max_) ec = http::error::header_limit;
    return !ec && !parser.is_header_done();
  }

 private:
  const std::size_t bytes_max_;
  std::size_t used_ = 0;
};

/// A chunked body ends with at least these bytes ("0\r\n\r\n"). Beast's parser assumes them once it
/// has seen the last chunk's size. With fewer it ends the process (an assertion in
/// basic_parser::parse_chunk_header).
inline constexpr std::size_t chunked_rest_min = 5;

/// Feeds the buffer to the parser while it reads a body. Returns true if more bytes are needed.
template <bool is_request>
bool feed_body(boost::beast::http::basic_parser<is_request>& parser,
               boost::beast::flat_buffer& buffer, error_code& ec) {
  namespace http = boost::beast::http;
  ec = {};
  if (parser.is_done()) return false;
  if (buffer.size() >= (parser.chunked() ? chunked_rest_min : 1)) {
    parser.eager(true);
    buffer.consume(parser.put(buffer.data(), ec));
    if (ec == http::error::need_more) ec = {};
  }
  if (ec || parser.is_done()) return false;
  // A chunk's extensions or the trailer fill the buffer.
  if (buffer.size() == buffer.max_size()) ec = http::error::header_limit;
  return !ec;
}

/// Reads once into the buffer, which must have room.
inline Awaitable<error_code> read_more(Transport& stream, boost::beast::flat_buffer& buffer) {
  constexpr std::size_t read_at_once = 16 * 1024;  // a TLS record
  const std::size_t room = std::min(read_at_once, buffer.max_size() - buffer.size());
  const auto into = buffer.prepare(room);
  const auto [ec, bytes] = co_await stream.async_read_some(into, use_tuple);
  buffer.commit(bytes);
  co_return ec;
}

/// Reads a head. The buffer must hold more than `bytes_max` bytes.
template <bool is_request>
Awaitable<error_code> read_header(Transport& stream, boost::beast::flat_buffer& buffer,
                                  boost::beast::http::basic_parser<is_request>& parser,
                                  std::size_t bytes_max) {
  HeadLimit limit(bytes_max);
  error_code ec;
  while (limit.feed(parser, buffer, ec)) {
    ec = co_await read_more(stream, buffer);
    if (ec) break;
  }
  co_return ec;
}

/// Reads a body.
template <bool is_request>
Awaitable<error_code> read_body(Transport& stream, boost::beast::flat_buffer& buffer,
                                boost::beast::http::basic_parser<is_request>& parser) {
  error_code ec;
  while (feed_body(parser, buffer, ec)) {
    ec = co_await read_more(stream, buffer);
    if (ec) break;
  }
  co_return ec;
}

}  // namespace verbatim::net
