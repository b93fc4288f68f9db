// Refused WebSockets, and the ids of requests.
#include "server/net/refused_upgrade.hpp"

#include <catch2/catch.hpp>

#include "server/net/request_counts.hpp"
#include "server/net/request_id.hpp"
#include "server/net/ws_frame.hpp"
#include "tests/server/net/wire.hpp"

using namespace verbatim;
using namespace verbatim::net;
using namespace verbatim::test;

namespace {

/// A handshake as a page sends it.
std::string offer(const std::string& protocols, const std::string& more = {},
                  const std::string& first_line = "GET / HTTP/1.1") {
  return upgrade(
      "Host: x\r\nSec-WebSocket-Version: 13\r\nSec-WebSocket-Key: "
      "dGhlIHNhbXBsZSBub25jZQ==\r\nSec-WebSocket-Protocol: " +
          protocols + "\r\n" + more,
      first_line);
}

bool has(const std::string& text, const std::string& part) {
  return text.find(part) != std::string::npos;
}

}  // namespace

TEST_CASE("a client of verbatim.v1 gets the reason of a refusal as an event, then a close",
          "[http][refused]") {
  Wire wire;
  const std::string got = wire(offer("realtime, verbatim.v1", "X-Request-Id: page-7\r\n"));
  CHECK(statuses(got) == Statuses{101});
  CHECK(has(got, "Sec-WebSocket-Accept: s3pPLMBiTxaQ9kYGzzhZRbK+xOo=\r\n"));
  CHECK(has(got, "Sec-WebSocket-Protocol: realtime\r\n"));
  CHECK(has(got, "X-Request-Id: page-7\r\n"));
  FrameReader frames(WsRole::server, 4096);
  std::string_view rest = std::string_view(got).substr(got.find("\r\n\r\n") + 4);
  const auto event = frames.take(rest);
  REQUIRE(event.kind == FrameReader::Kind::text);
  CHECK(event.bytes ==
        R"({"error":{"code":"upgraded","event_id":null,"message":"As far as this test goes.",)"
        R"("param":null,"retry_after":null,"status":426,"type":"invalid_request_error"},)"
        R"("event_id":"verbatim_page-7","type":"error"})");
  const auto close = frames.take(rest);
  CHECK(close.kind == FrameReader::Kind::close);
  CHECK(close.code == 1008);
  CHECK(close.bytes == "upgraded");
  CHECK(rest.empty());
}

TEST_CASE("a server that restarts closes with 1012 and sends no error event",
          "[http][refused][P8]") {
  Wire wire;
  const std::string got = wire(offer("verbatim.v1", {}, "GET /stops HTTP/1.1"));
  CHECK(statuses(got) == Statuses{101});
  FrameReader frames(WsRole::server, 4096);
  std::string_view rest = std::string_view(got).substr(got.find("\r\n\r\n") + 4);
  const auto close = frames.take(rest);
  CHECK(close.kind == FrameReader::Kind::close);
  CHECK(close.code == 1012);
  CHECK(close.bytes == "server_shutting_down");
}

TEST_CASE("other clients get the HTTP answer, as does a handshake that is not valid",
          "[http][refused]") {
  Wire wire;
  CHECK(statuses(wire(offer("realtime"))) == Statuses{426});
  CHECK(statuses(wire(offer("realtime, verbatim.v2"))) == Statuses{426});
  CHECK(statuses(wire(upgrade("Host: x\r\nSec-WebSocket-Version: 13\r\nSec-WebSocket-Key: short\r\n"
                              "Sec-WebSocket-Protocol: verbatim.v1\r\n"))) == Statuses{426});
  CHECK(statuses(wire(upgrade("Host: x\r\nSec-WebSocket-Key: dGhlIHNhbXBsZSBub25jZQ==\r\n"
                              "Sec-WebSocket-Protocol: verbatim.v1\r\n"))) == Statuses{426});
}

TEST_CASE("a refusal closes with the code of its cause", "[http][refused]") {
  CHECK(refusal_close_code(401, "token_expired") == 3000);
  CHECK(refusal_close_code(403, "origin_not_allowed") == 1008);
  CHECK(refusal_close_code(404, "session_not_found") == 1008);
  CHECK(refusal_close_code(409, "session_busy") == 1013);
  CHECK(refusal_close_code(429, "rate_limit_exceeded") == 1013);
  CHECK(refusal_close_code(503, "too_many_sessions") == 1013);
  CHECK(refusal_close_code(503, "server_shutting_down") == 1012);
  CHECK(refusal_close_code(503, "storage_failure") == 1011);
}

TEST_CASE("an id of the peer is repeated if it is sane, and is otherwise replaced",
          "[http][request_id]") {
  const auto answer_to = [](const std::string& header) {
    Wire wire;
    return wire("GET /a HTTP/1.1\r\nHost: x\r\n" + header + "\r\n");
  };
  CHECK(has(answer_to("X-Request-Id: 6f1c-a.b:c\r\n"), "X-Request-Id: 6f1c-a.b:c\r\n"));
  for (const std::string& header :
       {std::string(), std::string("X-Request-Id: two words\r\n"),
        std::string("X-Request-Id: a\"b\r\n"), "X-Request-Id: " + std::string(129, 'a') + "\r\n",
        std::string("X-Request-Id: a\r\nX-Request-Id: \xC3\xA4\r\n")}) {
    INFO(header);
    const std::string answer = answer_to(header);
    CHECK(statuses(answer) == Statuses{200});
    if (!has(header, "X-Request-Id: a\r\n")) CHECK(has(answer, "\r\nX-Request-Id: req_"));
  }
}

TEST_CASE("every kind of answer has an id, and a problem repeats it", "[http][request_id]") {
  for (const std::string& bytes :
       {std::string("GET /\r\n\r\n"), std::string("GET /stream HTTP/1.1\r\nHost: x\r\n\r\n"),
        post("Content-Length: 1\r\n", "a", "/post/denied"), upgrade("Host: x\r\n"),
        std::string("HEAD /a HTTP/1.1\r\nHost: x\r\n\r\n")}) {
    INFO(bytes);
    Wire wire;
    CHECK(has(wire(bytes), "\r\nX-Request-Id: req_"));
  }
  Wire wire;
  const std::string answer =
      wire(post("Content-Length: 1\r\nX-Request-Id: mine\r\n", "a", "/post/denied"));
  CHECK(has(answer, R"(","request_id":"mine"})"));
}

TEST_CASE("requests are counted by the pattern of their path and by their status",
          "[http][metrics]") {
  RequestCounts counts({"/v1/sessions", "/v1/sessions/{id}"});
  counts.answered("/v1/sessions/{id}", 200);
  counts.answered("/v1/sessions/{id}", 200);
  counts.answered("/v1/sessions/{id}", 404);
  counts.answered("", 404);
  counts.answered("/v1/sessions", 299);
  std::vector<std::string> seen;
  counts.visit([&seen](std::string_view route, const std::string& status, std::uint64_t count) {
    seen.push_back(std::string(route) + " " + status + " " + std::to_string(count));
  });
  CHECK(seen == std::vector<std::string>{"/v1/sessions other 1", "/v1/sessions/{id} 200 2",
                                         "/v1/sessions/{id} 404 1", "other 404 1"});
}
