#include "server/net/write_response.hpp"

#include <algorithm>
#include <boost/asio/co_spawn.hpp>
#include <boost/asio/detached.hpp>
#include <boost/asio/write.hpp>
#include <boost/beast/http/empty_body.hpp>
#include <boost/beast/http/message.hpp>
#include <boost/beast/http/string_body.hpp>
#include <boost/beast/http/write.hpp>
#include <cstdio>
#include <utility>

#include "server/net/body_source.hpp"

namespace verbatim::net {

namespace http = boost::beast::http;

namespace {

template <class Body>
http::response<Body> head_of(const HttpResponse& answer, bool keep_alive) {
  const auto status = static_cast<http::status>(answer.status);
  http::response<Body> response(status, 11);
  response.reason(http::obsolete_reason(status));
  response.set(http::field::server, "verbatim");
  if (!answer.content_type.empty()) response.set(http::field::content_type, answer.content_type);
  response.set("X-Content-Type-Options", "nosniff");
  for (const auto& [name, value] : answer.headers) response.set(name, value);
  response.keep_alive(keep_alive);
  return response;
}

/// Detects that the peer is gone while an answer is sent piece by piece. A peer sends no next
/// request before this answer is complete; bytes that arrive early are ignored.
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

/// Writes all of `bytes`, or closes the connection of a peer that is too slow.
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

}  // namespace

HttpResponse uncached(HttpResponse refusal) {
  const auto says = [](const auto& one) { return one.first == "Cache-Control"; };
  if (std::none_of(refusal.headers.begin(), refusal.headers.end(), says))
    refusal.headers.emplace_back("Cache-Control", "no-store");
  return refusal;
}

Awaitable<bool> write_response(Transport& stream, HttpResponse answer, Wanted wanted) {
  auto response = head_of<http::string_body>(answer, wanted.keep_alive);
  if (wanted.keep_alive && wanted.http_1_0) response.set(http::field::connection, "keep-alive");
  response.body() = std::move(answer.body);
  // The length of a body that is produced while it is sent is unknown.
  if (!answer.source) response.prepare_payload();
  if (answer.source_bytes) response.content_length(*answer.source_bytes);
  if (wanted.head) {
    std::string().swap(response.body());
    answer.memory.reset();
  }
  http::serializer<false, http::string_body> serializer(response);
  const auto [ec, size] = co_await http::async_write(stream, serializer, use_tuple);
  const bool more = !ec && wanted.keep_alive;
  co_return more;
}

Awaitable<void> write_from(Transport& stream, const HttpResponse& answer, bool chunked, Log& log) {
  BodySource& source = *answer.source;
  auto response = head_of<http::empty_body>(answer, false);
  if (answer.source_bytes) {
    chunked = false;
    response.content_length(*answer.source_bytes);
  } else if (chunked) {
    response.chunked(true);
  }
  http::serializer<false, http::empty_body> serializer(response);
  // Only the head: writing the body would end it.
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
      if (source.broken()) break;
      whole = piece.empty();
      if (chunked) piece = whole ? "0\r\n\r\n" : chunk_of(piece);
      if (piece.empty()) break;
      const bool taken = co_await write_piece(stream, source, piece);
      if (whole || !taken) break;
    }
  } catch (const std::exception& bug) {
    log.repeated(Repeated::request_bug, {{"path", "a body"}, {"what", bug.what()}});
  }
  error_code ignored;
  if (whole) {
    stream.socket().cancel(ignored);
  } else {
    stream.socket().close(ignored);
  }
  co_await watch.joined();
}

Awaitable<void> linger_close(Transport& stream) {
  // As long as nginx waits by default (lingering_timeout): what is not read when the socket closes
  // resets the connection, and a slow peer then never reads its answer.
  const Deadline deadline(stream.get_executor(), std::chrono::seconds(5), [&stream] {
    error_code ignored;
    stream.socket().close(ignored);
  });
  co_await stream.shut_down();
}

}  // namespace verbatim::net
