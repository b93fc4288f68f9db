#include "server/net/http_connection.hpp"

#include <boost/asio/write.hpp>
#include <boost/beast/core/flat_buffer.hpp>
#include <boost/beast/http/empty_body.hpp>
#include <boost/beast/http/message.hpp>
#include <boost/beast/http/parser.hpp>
#include <boost/beast/http/read.hpp>
#include <boost/beast/http/write.hpp>
#include <optional>
#include <utility>

#include "server/net/announced_caller.hpp"
#include "server/net/http_framing.hpp"
#include "server/net/http_version.hpp"
#include "server/net/read_message.hpp"
#include "server/net/refused_upgrade.hpp"
#include "server/net/request_body.hpp"
#include "server/net/request_id.hpp"
#include "server/net/write_response.hpp"

namespace verbatim::net {

namespace beast = boost::beast;
namespace http = beast::http;

namespace {

/// Value of Retry-After: connections end all the time.
constexpr const char* descriptors_retry_seconds = "5";
constexpr const char* connections_retry_seconds = "5";
/// Value of Retry-After: a body holds its memory until server.request_timeout at most.
constexpr const char* bodies_retry_seconds = "5";
/// Bytes read ahead of a request, of the next piece of a body, or of the next request.
constexpr std::size_t read_ahead_bytes = 16 * 1024;
/// Buffer bytes that an idle connection keeps at most.
constexpr std::size_t idle_bytes = 512;

using Parser = http::request_parser<RequestBody>;

// A request that cannot be read still gets an answer if the peer speaks HTTP.
std::optional<HttpResponse> refusal_for(const error_code& ec) {
  if (ec == boost::system::errc::not_enough_memory) {
    HttpResponse refused = problem(503, "too many bodies",
                                   "The bodies of all requests together take as much memory as "
                                   "server.bodies_bytes_max allows. Try again later.");
    refused.headers.emplace_back("Retry-After", bodies_retry_seconds);
    return refused;
  }
  if (ec == http::error::header_limit) {
    return problem(431, "header too large",
                   "The request's header exceeds server.header_bytes_max.");
  }
  if (ec == http::error::body_limit) {
    return problem(413, "body too large", "The request's body exceeds server.body_bytes_max.");
  }
  if (ec.category() == http::make_error_code(http::error::bad_method).category() &&
      ec != http::error::end_of_stream && ec != http::error::partial_message) {
    return problem(400, "bad request", "The request is not valid HTTP: " + ec.message() + ".");
  }
  return std::nullopt;
}

HttpResponse out_of_descriptors() {
  HttpResponse refused = problem(503, "too many connections",
                                 "The relay has too few file descriptors for another connection. "
                                 "Try again later.");
  refused.headers.emplace_back("Retry-After", descriptors_retry_seconds);
  return refused;
}

struct Upgrade {
  HttpRequest request;
  Transport transport;
};

/// Serves the requests of one connection, one after the other.
class Requests {
 public:
  Requests(Transport& stream, Connections::Permit& permit, Caller peer, const HttpLimits& limits,
           HttpService& service, Log& log)
      : stream_(stream),
        permit_(permit),
        peer_(std::move(peer)),
        executor_(stream.socket().get_executor()),
        buffer_(limits.header_bytes_max + read_ahead_bytes),
        limits_(limits),
        service_(service),
        log_(log) {}

  /// Returns the request for an upgrade, or empty if there are no more requests.
  Awaitable<std::optional<HttpRequest>> serve() {
    bool open = co_await begins(limits_.handshake_timeout);
    while (open) {
      open = co_await serve_one() && !upgrade_ && co_await begins(limits_.keep_alive_timeout);
    }
    co_return std::move(upgrade_);
  }

 private:
  std::function<void()> abort() {
    return [this] {
      error_code ignored;
      stream_.socket().close(ignored);
    };
  }

  /// Waits for a request's first byte. Skips empty lines before it (RFC 9112, section 2.2).
  Awaitable<bool> begins(Clock::duration patience) {
    const Deadline deadline(executor_, patience, abort());
    while (true) {
      const std::string_view bytes = buffered();
      if (bytes.starts_with("\r\n")) {
        buffer_.consume(2);
      } else if (!bytes.empty() && bytes != "\r") {
        co_return true;
      } else {
        permit_.idle(stream_.socket());
        const auto into = buffer_.prepare(idle_bytes);
        const auto [ec, size] = co_await stream_.async_read_some(into, use_tuple);
        permit_.busy();
        if (ec) co_return false;
        buffer_.commit(size);
      }
    }
  }

  /// Returns whether the connection stays open.
  Awaitable<bool> serve_one() {
    Parser parser;
    parser.header_limit(static_cast<std::uint32_t>(limits_.header_bytes_max + 1));
    parser.body_limit(boost::none);  // until it is known whether the body is read at all
    error_code ec;
    {
      const Deadline deadline(executor_, limits_.handshake_timeout, abort());
      ec = co_await read_header(stream_, buffer_, parser, limits_.header_bytes_max);
    }
    const RequestHead& head = parser.get();
    take_id(head[request_id_header]);
    Wanted wanted{head.method() == http::verb::head, head.version() < 11, false};
    if (ec) {
      if (auto refusal = refusal_of_head(ec))
        co_await refuse_unreadable(std::move(*refusal), head, wanted);
      co_return false;
    }
    auto read = read_head(head, parser);
    if (!read) {
      co_await refuse_unreadable(std::move(read).error(), head, wanted);
      co_return false;
    }
    HttpRequest request = *std::move(read);
    request.id = id_;
    Caller caller = limits_.proxies->caller_of(request.headers, peer_);
    request.remote = std::move(caller.address);
    request.secure = caller.secure;
    request.proxied = caller.proxied;
    service_.canonicalise(request);
    if (request.id.empty()) take_id({});
    request.id = id_;
    // The client's node knows whether the client gave it.
    if (!request.peer_session.empty()) id_given_ = false;
    if (limits_.only_probes && !service_.is_probe(request.path)) {
      if (request.upgrade) log_refused_upgrade(out_of_descriptors(), request.remote, id_, log_);
      co_await refuse(out_of_descriptors(), request.path, wanted);
      co_return false;
    }
    if (request.upgrade) co_return co_await take_upgrade(std::move(request), wanted);
    wanted.keep_alive = parser.keep_alive() && !limits_.only_probes;
    if (!parser.is_done() && !co_await take_body(parser, request, wanted)) co_return false;
    co_return co_await answer(std::move(request), wanted);
  }

  Awaitable<bool> take_upgrade(HttpRequest request, Wanted wanted) {
    // Bytes behind a request for another protocol are not the next request.
    if (buffer_.size() > 0) {
      HttpResponse refusal = problem(400, "bad request",
                                     "A client must wait for the answer to its WebSocket request "
                                     "before it sends more.");
      log_refused_upgrade(refusal, request.remote, id_, log_);
      co_await refuse(std::move(refusal), request.path, wanted);
      co_return false;
    }
    upgrade_ = std::move(request);
    co_return true;
  }

  void take_id(std::string_view given) {
    id_given_ = is_request_id(given);
    id_ = id_given_ ? std::string(given) : new_request_id();
  }

  /// Reads the body if there is a reader for it. Returns false if the request was refused.
  Awaitable<bool> take_body(Parser& parser, HttpRequest& request, Wanted& wanted) {
    BodyVerdict verdict = service_.judge_body(request);
    if (!verdict.refused && !verdict.read) {
      wanted.keep_alive = false;
      co_return true;
    }
    if (!verdict.refused) verdict.refused = refuse_body(request);
    if (verdict.refused) {
      co_await refuse(std::move(*verdict.refused), request.path, wanted);
      co_return false;
    }
    parser.body_limit(limits_.body_bytes_max);
    if (parser.content_length().value_or(0) > limits_.body_bytes_max) {
      co_await refuse(*refusal_for(http::error::body_limit), request.path, wanted);
      co_return false;
    }
    if (limits_.bodies) parser.get().body().share.emplace(*limits_.bodies, std::move(verdict.user));
    const Deadline deadline(executor_, limits_.request_timeout, abort());
    error_code ec;
    if (!wanted.http_1_0 && expects_continue(request) && buffer_.size() == 0) {
      http::response<http::empty_body> proceed(http::status::continue_, 11);
      http::serializer<false, http::empty_body> serializer(proceed);
      std::tie(ec, std::ignore) = co_await http::async_write(stream_, serializer, use_tuple);
    }
    if (!ec) ec = co_await read_body(stream_, buffer_, parser);
    if (auto refused = ec ? refusal_for(ec) : std::nullopt) {
      if (refused->status == 503) note_refused_body(request);
      co_await refuse(std::move(*refused), request.path, wanted);
    }
    request.body = std::move(parser.get().body().bytes);
    co_return !ec;
  }

  Awaitable<bool> answer(HttpRequest request, Wanted wanted) {
    if (wanted.head) request.method = "GET";
    HttpResponse response =
        problem(500, "internal error", "This is a bug of the relay. The log has the details.");
    const std::string path = request.path;
    try {
      response = co_await service_.answer(std::move(request));
    } catch (const std::exception& bug) {
      response = service_.in_form_of(path, std::move(response));
      log_.repeated(Repeated::request_bug,
                    {{"path", path}, {"request", id_}, {"what", bug.what()}});
    }
    service_.answered(path, response.status);
    add_request_id(response, id_, id_given_);
    if (response.source && !wanted.head) {
      co_await write_from(stream_, response, !wanted.http_1_0, log_);
      co_return false;
    }
    const Deadline deadline(executor_, limits_.request_timeout, abort());
    co_return co_await write_response(stream_, std::move(response), wanted);
  }

  /// Sends a refusal; the connection closes afterwards.
  Awaitable<void> refuse(HttpResponse refusal, const std::string& path, Wanted wanted) {
    wanted.keep_alive = false;
    const Deadline deadline(executor_, limits_.request_timeout, abort());
    service_.answered(path, refusal.status);
    HttpResponse response = uncached(service_.in_form_of(path, std::move(refusal)));
    add_request_id(response, id_, id_given_);
    co_await write_response(stream_, std::move(response), wanted);
  }

  std::optional<HttpResponse> refusal_of_head(const error_code& ec) const {
    if (ec == http::error::bad_version && names_later_major_version(buffered()))
      return problem(505, "HTTP version not supported", "This relay speaks HTTP/1.1.");
    return refusal_for(ec);
  }

  /// `head`: may be incomplete.
  Awaitable<void> refuse_unreadable(HttpResponse refusal, const RequestHead& head, Wanted wanted) {
    HttpRequest request;
    request.path = path_of_unreadable(head, buffered());
    service_.canonicalise(request);
    if (seems_to_ask_for_websocket(head, request.path))
      log_refused_upgrade(refusal, peer_.address, id_, log_);
    co_await refuse(std::move(refusal), request.path, wanted);
  }

  void note_refused_body(const HttpRequest& request) {
    if (!limits_.bodies->worth_a_line(Clock::now())) return;
    log_.warn(
        "bodies.refused",
        {{"remote", request.remote},
         {"held", limits_.bodies->counts().held},
         {"refused", limits_.bodies->counts().refused},
         {"now", "requests get 503; raise server.bodies_bytes_max if this is not an attack"}});
  }

  std::string_view buffered() const {
    return {static_cast<const char*>(buffer_.data().data()), buffer_.size()};
  }

  Transport& stream_;
  Connections::Permit& permit_;
  const Caller peer_;
  const Executor executor_;
  beast::flat_buffer buffer_;
  const HttpLimits& limits_;
  HttpService& service_;
  Log& log_;
  std::string id_;  ///< of the current request
  bool id_given_ = false;
  std::optional<HttpRequest> upgrade_;
};

Awaitable<std::optional<Upgrade>> serve_requests(Transport stream, Connections::Permit& permit,
                                                 Caller peer, HttpLimits limits,
                                                 HttpService& service, Log& log) {
  {
    Requests requests(stream, permit, std::move(peer), limits, service, log);
    auto upgrade = co_await requests.serve();
    if (upgrade) co_return Upgrade{std::move(*upgrade), std::move(stream)};
  }
  co_await linger_close(stream);
  co_return std::nullopt;
}

HttpResponse too_many_of_address() {
  HttpResponse refused = openai_error(429, "too_many_connections",
                                      "This address has reached its limit of connections "
                                      "(server.connections_per_address).");
  refused.headers.emplace_back("Retry-After", connections_retry_seconds);
  return refused;
}

/// Separate from serve_requests(), so that its frame is freed before a conversation begins.
Awaitable<void> serve(Transport stream, Connections::PermitPtr permit, Caller peer,
                      HttpLimits limits, HttpService& service, Log& log) {
  auto upgrade =
      co_await serve_requests(std::move(stream), *permit, std::move(peer), limits, service, log);
  if (!upgrade) co_return;
  permit->upgrades();
  const AskedUpgrade asked(upgrade->request);
  // From now on it is the connection of one client, even if it comes from a proxy.
  std::optional<HttpService::Refused> refused;
  if (permit->belongs_to(upgrade->request.remote)) {
    refused = co_await service.upgrade(std::move(upgrade->request), std::move(upgrade->transport));
  } else {
    refused = HttpService::Refused{std::move(upgrade->transport), too_many_of_address()};
  }
  if (!refused) co_return;
  service.answered(asked.path, refused->response.status);
  co_await refuse_upgrade(std::move(refused->transport), std::move(refused->response), asked,
                          limits.request_timeout, log);
}

/// Waits for the first byte.
Awaitable<bool> says_something(Socket& socket, Connections::Permit& permit,
                               std::chrono::milliseconds limit) {
  const Deadline deadline(socket.get_executor(), limit, [&socket] {
    error_code ignored;
    socket.close(ignored);
  });
  permit.idle(socket);
  const auto [ec] = co_await socket.async_wait(Socket::wait_read, use_tuple);
  permit.busy();
  co_return !ec && socket.is_open();
}

}  // namespace

Awaitable<void> serve_connection(Socket socket, Connections::PermitPtr permit, AcceptTls tls,
                                 HttpLimits limits, HttpService& service, Log& log) {
  error_code ignored;
  socket.set_option(tcp::no_delay(true), ignored);
  const bool speaks = co_await says_something(socket, *permit, limits.handshake_timeout);
  if (!speaks) co_return;
  Caller peer{address_of(socket), false, false};
  auto caller = co_await announced_caller(socket, std::move(peer), *limits.proxies,
                                          limits.handshake_timeout, log);
  if (!caller || !permit->belongs_to(caller->address)) co_return;
  if (!tls.context) {
    co_await serve(Transport(std::move(socket)), std::move(permit), std::move(*caller), limits,
                   service, log);
    co_return;
  }
  caller->secure = true;
  Transport stream(std::move(socket), tls.context->native_handle());
  error_code ec;
  {
    const Deadline deadline(stream.get_executor(), limits.handshake_timeout, [&stream] {
      error_code gone;
      stream.socket().close(gone);
    });
    ec = co_await stream.handshake(Transport::Role::server, std::move(tls.handshakes));
  }
  if (ec) {
    permit->handshake_failed(caller->address, ec);
    co_return;
  }
  co_await serve(std::move(stream), std::move(permit), std::move(*caller), limits, service, log);
}

}  // namespace verbatim::net
