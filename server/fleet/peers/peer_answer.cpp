#include "server/fleet/peers/peer_answer.hpp"

#include <algorithm>
#include <array>
#include <boost/asio/ssl/error.hpp>
#include <utility>

#include "server/net/read_message.hpp"

namespace verbatim::peers {

namespace http = boost::beast::http;

namespace {

constexpr std::size_t head_bytes_max = 64 * 1024;
/// A longer body is passed on piece by piece.
constexpr std::uint64_t short_body_bytes_max = 64 * 1024;

/// Headers of the connection between the nodes, and those that this node sets itself.
bool stays_here(std::string_view name) {
  constexpr std::array own = {
      "Connection", "Keep-Alive",   "Transfer-Encoding",      "Content-Length",
      "Server",     "Content-Type", "X-Content-Type-Options", "X-Request-Id"};
  return std::any_of(own.begin(), own.end(),
                     [name](const char* one) { return net::equals_ignore_case(name, one); });
}

}  // namespace

PeerAnswer::PeerAnswer(net::Transport node)
    : node_(std::move(node)), buffer_(head_bytes_max + net::BodySource::piece_bytes) {
  parser_.header_limit(head_bytes_max + 1);
  parser_.body_limit(boost::none);
}

net::Awaitable<error_code> PeerAnswer::read_head() {
  co_return co_await net::read_header(node_, buffer_, parser_, head_bytes_max);
}

net::HttpResponse PeerAnswer::head() const {
  net::HttpResponse response;
  response.status = status();
  response.of_peer = true;
  response.content_type = std::string(parser_.get()[http::field::content_type]);
  for (const auto& field : parser_.get())
    if (!stays_here(field.name_string()))
      response.headers.emplace_back(field.name_string(), field.value());
  return response;
}

std::string PeerAnswer::upgrade_head() const {
  std::string head = "HTTP/1.1 101 Switching Protocols\r\n";
  for (const auto& field : parser_.get()) {
    head.append(field.name_string()).append(": ").append(field.value()).append("\r\n");
  }
  return head + "\r\n";
}

net::Awaitable<bool> PeerAnswer::add_body(std::shared_ptr<PeerAnswer> answer,
                                          net::HttpResponse& response) {
  const auto length = answer->parser_.content_length();
  if (!answer->parser_.is_done() && (!length || *length > short_body_bytes_max)) {
    response.source = std::move(answer);
    co_return true;
  }
  const net::Deadline deadline(answer->node_.get_executor(), answer->patience(),
                               [answer] { answer->abandon(true); });
  const error_code ec = co_await net::read_body(answer->node_, answer->buffer_, answer->parser_);
  response.body = std::move(answer->parser_.get().body());
  co_return !ec;
}

void PeerAnswer::list_in(const std::shared_ptr<CarriedList>& list) {
  listed_ = list->add(node_.get_executor(), [this, alive = std::weak_ptr<bool>(alive_)] {
    if (!alive.expired()) abandon(false);
  });
}

std::string PeerAnswer::take_early() {
  std::string early(static_cast<const char*>(buffer_.data().data()), buffer_.size());
  buffer_.consume(buffer_.size());
  return early;
}

net::Awaitable<std::string> PeerAnswer::next() {
  std::string& piece = parser_.get().body();
  piece.clear();
  error_code ec;
  while (!abandoned_ && net::feed_body(parser_, buffer_, ec) && piece.empty())
    ec = co_await net::read_more(node_, buffer_);
  // A body without a length ends with its connection.
  if (ec == asio::error::eof || ec == asio::ssl::error::stream_truncated) {
    error_code wrong;
    parser_.put_eof(wrong);
    ec = wrong;
  }
  broken_ = ec || (abandoned_ && !parser_.is_done());
  co_return std::exchange(piece, {});
}

void PeerAnswer::abandon(bool) {
  abandoned_ = true;
  error_code ignored;
  node_.socket().close(ignored);
}

}  // namespace verbatim::peers
