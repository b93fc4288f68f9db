#include "server/http_connection.hpp"

#include <boost/asio/co_spawn.hpp>
#include <boost/asio/detached.hpp>
#include <boost/asio/write.hpp>
#include <boost/beast/core/flat_buffer.hpp>
#include <boost/beast/http/empty_body.hpp>
#include <boost/beast/http/message.hpp>
#include <boost/beast/http/parser.hpp>
#include <boost/beast/http/read.hpp>
#include <boost/beast/http/string_body.hpp>
#include <boost/beast/http/write.hpp>
#include <boost/beast/websocket/rfc6455.hpp>
#include <cstdio>
#include <optional>
#include <utility>

#include "server/announced_caller.hpp"
#include "server/body_source.hpp"

namespace verbatim::server {

namespace beast = boost::beast;
namespace http = beast::http;

namespace {

/// Connections end all the time.
constexpr const char* descriptors_retry_seconds = "5";
constexpr const char* connections_retry_seconds = "5";

using Parser = http::request_parser<http::string_body>;

HttpRequest plain(const http::request<http::string_body>& request, const Caller& peer,
                  const TrustedProxies& proxies) {
  HttpRequest out;
  out.method = std::string(request.method_string());
  out.target = std::string(request.target());
  for (const auto& field : request) {
    out.headers.emplace_back(std::string(field.name_string()), std::string(field.value()));
  }
  Caller caller = proxies.caller_of(out.headers, peer);
  out.remote = std::move(caller.address);
  out.secure = caller.secure;
  out.proxied = caller.proxied;
  out.upgrade = beast::websocket::is_upgrade(request);
  return out;
}

template <class Body>
http::response<Body> head_of(const HttpResponse& answer, bool keep_alive) {
  http::response<Body> response(static_cast<http::status>(answer.status), 11);
  response.reason(std::string(status_text(answer.status)));
  response.set(http::field::server, "verbatim");
  if (!answer.content_type.empty()) response.set(http::field::content_type, answer.content_type);
  response.set("X-Content-Type-Options", "nosniff");
  for (const auto& [name, value] : answer.headers) response.set(name, value);
  response.keep_alive(keep_alive);
  return response;
}

Awaitable<bool> write_response(Transport& stream, HttpResponse answer, bool keep_alive, bool head) {
  auto response = head_of<http::string_body>(answer, keep_alive);
  response.body() = std::move(answer.body);
  response.prepare_payload();
  if (head) response.body().clear();
  http::serializer<false, http::string_body> serializer(response);
  const auto [ec, size] = co_await http::async_write(stream, serializer, use_tuple);
  const bool more = !ec && keep_alive;
  co_return more;
}

/// While an answer is made piece by piece: nobody asks for the next before this one is whole, so
/// whatever is read means that the peer is gone, or does not keep to that and is not listened to.
Awaitable<void> notice_departure(Transport& stream, BodySource& source, JoinCounter& join) {
  char byte = 0;
  const auto buffer = asio::buffer(&byte, 1);
  const auto [ec, size] = co_await stream.async_read_some(buffer, use_tuple);
  if (ec) source.abandon(false);
  join.leave();
}

std::string chunk_of(const std::string& piece) {
  char size[24];
  std::snprintf(size, sizeof size, "%zx\r\n", piece.size());
  return size + piece + "\r\n";
}

/// Writes all of it, or cuts the peer off that does not take it in time.
Awaitable<bool> write_piece(Transport& stream, BodySource& source, const std::string& bytes) {
  bool late = false;
  error_code ec;
  {
    const Deadline deadline(stream.socket().get_executor(), source.patience(), [&] {
      late = true;
      error_code ignored;
      stream.socket().close(ignored);
    });
    const auto buffer = asio::buffer(bytes);
    std::tie(ec, std::ignore) = co_await asio::async_write(stream, buffer, use_tuple);
  }
  if (ec) source.abandon(late);
  co_return !ec;
}

/// The connection is done after it: how else would an HTTP/1.0 peer know the end?
Awaitable<void> write_from(Transport& stream, const HttpResponse& answer, bool chunked, Log& log) {
  BodySource& source = *answer.source;
  auto response = head_of<http::empty_body>(answer, false);
  if (chunked) response.chunked(true);
  http::serializer<false, http::empty_body> serializer(response);
  // The head alone: with the body would come the end of it.
  const Executor executor = stream.socket().get_executor();
  error_code failed;
  {
    const Deadline deadline(executor, source.patience(), [&stream] {
      error_code gone;
      stream.socket().close(gone);
    });
    std::tie(failed, std::ignore) =
        co_await http::async_write_header(stream, serializer, use_tuple);
  }
  if (failed) co_return;
  JoinCounter watch(executor);
  watch.enter();
  asio::co_spawn(executor, notice_departure(stream, source, watch), asio::detached);
  bool whole = false;
  try {
    while (true) {
      std::string piece = co_await source.next();
      whole = piece.empty();
      if (chunked) piece = whole ? "0\r\n\r\n" : chunk_of(piece);
      if (piece.empty()) break;
      const bool taken = co_await write_piece(stream, source, piece);
      if (whole || !taken) break;
    }
  } catch (const std::exception& bug) {
    log.error("http.bug", {{"path", "a body"}, {"what", bug.what()}});
  }
  error_code ignored;
  if (whole) {
    stream.socket().cancel(ignored);
  } else {
    stream.socket().close(ignored);
  }
  co_await watch.joined();
}

// A request that can not be read still gets an answer, where HTTP can be spoken at all.
std::optional<HttpResponse> refusal_for(const error_code& ec) {
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
                                 "The server has too few file descriptors for another connection. "
                                 "Try again later.");
  refused.headers.emplace_back("Retry-After", descriptors_retry_seconds);
  return refused;
}

Awaitable<void> part_from(Transport& stream) {
  const Deadline deadline(stream.get_executor(), std::chrono::seconds(1), [&stream] {
    error_code ignored;
    stream.socket().close(ignored);
  });
  co_await stream.hang_up();
}

struct Upgrade {
  HttpRequest request;
  Transport transport;
};

/// Until one asks for an upgrade, or there are no more.
Awaitable<std::optional<Upgrade>> serve_requests(Transport stream, Connections::Place& place,
                                                 Caller peer, HttpLimits limits,
                                                 HttpService& service, Log& log) {
  beast::flat_buffer buffer(limits.header_bytes_max + limits.body_bytes_max);
  const auto executor = stream.socket().get_executor();
  const auto cut = [&stream] {
    error_code ignored;
    stream.socket().close(ignored);
  };
  bool first = true;
  bool open = true;
  while (open) {
    Parser parser;
    parser.header_limit(static_cast<std::uint32_t>(limits.header_bytes_max));
    parser.body_limit(limits.body_bytes_max);
    error_code ec;
    if (buffer.size() == 0) {
      const Deadline first_byte_deadline(
          executor, first ? limits.handshake_timeout : limits.keep_alive_timeout, cut);
      place.idle(stream.socket());
      const auto into = buffer.prepare(limits.header_bytes_max);
      std::size_t size = 0;
      std::tie(ec, size) = co_await stream.async_read_some(into, use_tuple);
      place.busy();
      buffer.commit(size);
      if (ec) break;
    }
    {
      const Deadline header_deadline(executor, limits.handshake_timeout, cut);
      std::tie(ec, std::ignore) =
          co_await http::async_read_header(stream, buffer, parser, use_tuple);
    }
    first = false;
    std::optional<Deadline> deadline;
    deadline.emplace(executor, limits.request_timeout, cut);
    if (!ec && !parser.is_done() && !beast::websocket::is_upgrade(parser.get())) {
      HttpRequest head = plain(parser.get(), peer, *limits.proxies);
      if (parse_target(std::string(head.target), head)) {
        if (auto refused = service.refuse_unread(head)) {
          co_await write_response(stream, std::move(*refused), false, false);
          break;
        }
      }
      if (beast::iequals(parser.get()[http::field::expect], "100-continue")) {
        http::response<http::empty_body> proceed(http::status::continue_, 11);
        http::serializer<false, http::empty_body> serializer(proceed);
        std::tie(ec, std::ignore) = co_await http::async_write(stream, serializer, use_tuple);
      }
      if (!ec) {
        std::tie(ec, std::ignore) = co_await http::async_read(stream, buffer, parser, use_tuple);
      }
    }
    if (ec) {
      if (auto refused = refusal_for(ec)) {
        HttpRequest head = plain(parser.get(), peer, *limits.proxies);
        parse_target(std::string(head.target), head);
        refused = service.in_form_of(head.path, std::move(*refused));
        co_await write_response(stream, std::move(*refused), false, false);
      }
      break;
    }
    HttpRequest request = plain(parser.get(), peer, *limits.proxies);
    request.body = std::move(parser.get().body());
    // What stands behind a request for another protocol is nobody's next request.
    const bool keep_alive = parser.get().keep_alive() && !request.upgrade && !limits.only_probes;
    const bool chunked = parser.get().version() >= 11;
    const bool head = request.method == "HEAD";
    if (!parse_target(std::string(request.target), request)) {
      co_await write_response(
          stream, problem(400, "bad request", "The request target is not a valid path."), false,
          head);
      break;
    }
    if (limits.only_probes && !service.is_probe(request.path)) {
      HttpResponse refused = service.in_form_of(request.path, out_of_descriptors());
      co_await write_response(stream, std::move(refused), false, head);
      break;
    }
    if (request.upgrade && buffer.size() == 0) {
      deadline.reset();  // whoever takes the transport keeps time
      co_return Upgrade{std::move(request), std::move(stream)};
    }
    if (head) request.method = "GET";
    deadline.reset();  // an answer may take long by design (long-poll); its maker bounds it
    HttpResponse response = problem(500, "internal error", "This is a bug; the log says more.");
    const std::string path = request.path;
    try {
      response = co_await service.answer(std::move(request));
    } catch (const std::exception& bug) {
      log.error("http.bug", {{"path", path}, {"what", bug.what()}});
    }
    if (response.source && !head) {
      co_await write_from(stream, response, chunked, log);
      break;
    }
    deadline.emplace(executor, limits.request_timeout, cut);
    open = co_await write_response(stream, std::move(response), keep_alive, head);
  }
  co_await part_from(stream);
  co_return std::nullopt;
}

HttpResponse too_many_of_address() {
  HttpResponse refused = openai_error(429, "too_many_connections",
                                      "This address has as many connections as one may have "
                                      "(server.connections_per_address).");
  refused.headers.emplace_back("Retry-After", connections_retry_seconds);
  return refused;
}

/// Apart from serve_requests(), so that nothing of it stays in memory as long as a conversation.
Awaitable<void> serve(Transport stream, Connections::PlacePtr place, Caller peer, HttpLimits limits,
                      HttpService& service, Log& log) {
  auto upgrade =
      co_await serve_requests(std::move(stream), *place, std::move(peer), limits, service, log);
  if (!upgrade) co_return;
  const bool head = upgrade->request.method == "HEAD";
  // From now on it is one client's, also where it comes from a proxy.
  if (!place->belongs_to(upgrade->request.remote)) {
    co_await write_response(upgrade->transport, too_many_of_address(), false, head);
    co_await part_from(upgrade->transport);
    co_return;
  }
  auto refused =
      co_await service.upgrade(std::move(upgrade->request), std::move(upgrade->transport));
  if (!refused) co_return;
  co_await write_response(refused->transport, std::move(refused->response), false, head);
  co_await part_from(refused->transport);
}

/// Waits for the first byte.
Awaitable<bool> says_something(Socket& socket, Connections::Place& place,
                               std::chrono::milliseconds limit) {
  const Deadline deadline(socket.get_executor(), limit, [&socket] {
    error_code ignored;
    socket.close(ignored);
  });
  place.idle(socket);
  const auto [ec] = co_await socket.async_wait(Socket::wait_read, use_tuple);
  place.busy();
  co_return !ec && socket.is_open();
}

}  // namespace

Awaitable<void> serve_connection(Socket socket, Connections::PlacePtr place,
                                 std::shared_ptr<asio::ssl::context> tls, HttpLimits limits,
                                 HttpService& service, Log& log) {
  error_code ignored;
  socket.set_option(tcp::no_delay(true), ignored);
  const bool speaks = co_await says_something(socket, *place, limits.handshake_timeout);
  if (!speaks) co_return;
  Caller peer{address_of(socket), false, false};
  auto caller = co_await announced_caller(socket, std::move(peer), *limits.proxies,
                                          limits.handshake_timeout, log);
  if (!caller || !place->belongs_to(caller->address)) co_return;
  if (!tls) {
    co_await serve(Transport(std::move(socket)), std::move(place), std::move(*caller), limits,
                   service, log);
    co_return;
  }
  caller->secure = true;
  Transport stream(std::move(socket), tls->native_handle());
  error_code ec;
  {
    const Deadline deadline(stream.get_executor(), limits.handshake_timeout, [&stream] {
      error_code gone;
      stream.socket().close(gone);
    });
    ec = co_await stream.handshake(Transport::Role::server);
  }
  if (!ec)
    co_await serve(std::move(stream), std::move(place), std::move(*caller), limits, service, log);
}

}  // namespace verbatim::server
