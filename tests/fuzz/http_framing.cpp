// Any bytes as the input of a connection; the first byte sets the size of the pieces. An accepted
// request must end where RFC 9112 says, with the same body, for every size of pieces. Otherwise a
// proxy and the relay could disagree (request smuggling).
#include <algorithm>
#include <boost/beast/core/flat_buffer.hpp>
#include <boost/beast/http/parser.hpp>
#include <cstdint>
#include <optional>
#include <string>
#include <string_view>

#include "base/json/view.hpp"
#include "server/net/http_framing.hpp"
#include "server/net/read_message.hpp"
#include "server/net/request_body.hpp"
#include "tests/fuzz/demand.hpp"

using namespace verbatim;
using namespace verbatim::net;
namespace http = boost::beast::http;

namespace {

/// Less than the length of the longest input, so that it is reached.
constexpr std::size_t header_bytes_max = 4 * 1024;

struct Accepted {
  HttpRequest request;
  std::string body;
  std::size_t end = 0;  ///< position in the input

  bool operator==(const Accepted& other) const {
    return end == other.end && body == other.body && request.path == other.request.path &&
           request.headers == other.request.headers && request.upgrade == other.request.upgrade;
  }
};

void check_refusal(const HttpResponse& refused) {
  demand(refused.status >= 400 && refused.status < 500);
  demand(!verbatim::json::check(refused.body));
}

/// As a connection does it: the head, then the body, as they come.
class Reader {
 public:
  Reader(std::string_view bytes, std::size_t step) : bytes_(bytes), step_(step) {
    parser_.header_limit(header_bytes_max + 1);
    parser_.body_limit(boost::none);
  }

  std::optional<Accepted> read() {
    if (!read_up_to_body()) {
      const std::string_view rest(static_cast<const char*>(buffer_.data().data()), buffer_.size());
      path_of_unreadable(parser_.get(), rest);
      return std::nullopt;
    }
    auto head = read_head(parser_.get(), parser_);
    if (!head) {
      check_refusal(head.error());
      return std::nullopt;
    }
    Accepted accepted;
    accepted.request = *std::move(head);
    parser_.body_limit(64 * 1024);
    error_code ec;
    while (feed_body(parser_, buffer_, ec)) {
      if (!more()) return std::nullopt;
    }
    if (ec) return std::nullopt;
    accepted.body = std::move(parser_.get().body().bytes);
    accepted.end = offered_ - buffer_.size();
    return accepted;
  }

 private:
  bool more() {
    const std::string_view piece = bytes_.substr(offered_, step_);
    const auto into = buffer_.prepare(piece.size());
    std::copy(piece.begin(), piece.end(), static_cast<char*>(into.data()));
    buffer_.commit(piece.size());
    offered_ += piece.size();
    return !piece.empty();
  }

  bool read_up_to_body() {
    HeadLimit limit(header_bytes_max);
    error_code ec;
    while (limit.feed(parser_, buffer_, ec)) {
      if (!more()) return false;
    }
    return !ec;
  }

  std::string_view bytes_;
  std::size_t step_;
  std::size_t offered_ = 0;
  boost::beast::flat_buffer buffer_{8 * header_bytes_max};
  http::request_parser<RequestBody> parser_;
};

/// RFC 9112, section 7.1, and nothing more. Removes the body from `bytes`.
std::optional<std::string> dechunked(std::string_view& bytes) {
  const auto line = [&bytes]() -> std::optional<std::string_view> {
    const std::size_t end = bytes.find("\r\n");
    if (end == bytes.npos) return std::nullopt;
    const auto found = bytes.substr(0, end);
    bytes.remove_prefix(end + 2);
    return found;
  };
  std::string body;
  while (true) {
    const auto head = line();
    if (!head) return std::nullopt;
    const std::size_t size = std::stoul(std::string(*head), nullptr, 16);
    if (size == 0) break;
    if (bytes.size() < size + 2) return std::nullopt;
    body += bytes.substr(0, size);
    bytes.remove_prefix(size);
    if (!bytes.starts_with("\r\n")) return std::nullopt;
    bytes.remove_prefix(2);
  }
  for (auto trailer = line(); trailer; trailer = line()) {
    if (trailer->empty()) return body;
  }
  return std::nullopt;
}

/// The end and the body of the request must match its headers.
void check_framing(std::string_view bytes, const Accepted& accepted) {
  const std::size_t head = bytes.find("\r\n\r\n");
  demand(head != bytes.npos && head + 4 <= header_bytes_max);
  std::string_view rest = bytes.substr(head + 4);
  const HttpRequest& request = accepted.request;
  const std::string_view coding = request.header("Transfer-Encoding");
  const std::string_view length = request.header("Content-Length");
  demand(coding.empty() || length.empty());
  if (!coding.empty()) {
    demand(equals_ignore_case(coding, "chunked"));
    const auto body = dechunked(rest);
    demand(body && *body == accepted.body);
    demand(accepted.end == bytes.size() - rest.size());
    return;
  }
  std::size_t size = 0;
  for (const std::string& one : split_list(length)) size = std::stoul(one);
  demand(accepted.body == rest.substr(0, size) && accepted.body.size() == size);
  demand(accepted.end == head + 4 + size);
}

void check_request(const Accepted& accepted) {
  const HttpRequest& request = accepted.request;
  demand(request.path.starts_with('/') || (request.path == "*" && request.method == "OPTIONS"));
  demand(request.header("Host").find_first_of(" ,@/?#") == std::string_view::npos);
  for (const auto& header : request.headers) {
    const std::string& name = header.first;
    const std::string& value = header.second;
    demand(name.find_first_of(" \t\r\n:") == std::string::npos);
    demand(value.find_first_of(std::string_view("\r\n\0", 3)) == std::string::npos);
    demand(std::count_if(request.headers.begin(), request.headers.end(), [&](const auto& one) {
             return equals_ignore_case(one.first, name);
           }) == 1);
  }
  if (request.upgrade) demand(request.method == "GET" && accepted.body.empty());
  if (const auto refused = refuse_body(request)) check_refusal(*refused);
}

}  // namespace

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
  if (size == 0) return 0;
  const std::string_view bytes(reinterpret_cast<const char*>(data) + 1, size - 1);
  const auto whole = Reader(bytes, bytes.size()).read();
  const auto in_pieces = Reader(bytes, 1 + data[0] % 16).read();
  demand(whole == in_pieces);
  if (!whole) return 0;
  check_framing(bytes, *whole);
  check_request(*whole);
  return 0;
}
