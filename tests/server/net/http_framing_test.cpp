// One connection, byte for byte: which HTTP framing is accepted and which refused; bytes after a
// refusal are never taken for a request.
#include <catch2/catch.hpp>

#include "tests/server/net/wire.hpp"

using namespace verbatim;
using namespace verbatim::net;
using namespace verbatim::test;

TEST_CASE("a request with an ambiguous end is refused, and nothing after it is taken for a request",
          "[http][framing][P11]") {
  for (const std::string headers : {"Transfer-Encoding: gzip\r\nContent-Length: 3\r\n",
                                    "Content-Length: 3\r\nTransfer-Encoding: gzip\r\n",
                                    "Transfer-Encoding: chunked\r\nContent-Length: 3\r\n",
                                    "Content-Length: 3\r\nTransfer-Encoding: chunked\r\n",
                                    "Transfer-Encoding: gzip\r\n",
                                    "Transfer-Encoding: identity\r\n",
                                    "Transfer-Encoding: gzip, chunked\r\n",
                                    "Transfer-Encoding: chunked, gzip\r\n",
                                    "Transfer-Encoding: chunked, chunked\r\n",
                                    "Transfer-Encoding: chunked\r\nTransfer-Encoding: chunked\r\n",
                                    "Transfer-Encoding: chunked\r\nTransfer-Encoding: identity\r\n",
                                    "Transfer-Encoding: identity\r\nTransfer-Encoding: chunked\r\n",
                                    "Transfer-Encoding: xchunked\r\n",
                                    "Transfer-Encoding: chunked;q=1\r\n",
                                    "Transfer-Encoding: \"chunked\"\r\n",
                                    "Transfer-Encoding:\r\n",
                                    "Transfer-Encoding: ,\r\n",
                                    "Transfer-Encoding: chunked,\r\n",
                                    "Transfer-Encoding : chunked\r\n",
                                    "Transfer-Encoding\r\n: chunked\r\n",
                                    "Transfer-Encoding: chu\tnked\r\n",
                                    "Transfer-Encoding: \vchunked\r\n",
                                    "Content-Length: -1\r\n",
                                    "Content-Length: +3\r\n",
                                    "Content-Length: 0x3\r\n",
                                    "Content-Length: 3 3\r\n",
                                    "Content-Length: 3,4\r\n",
                                    "Content-Length: 3\r\nContent-Length: 4\r\n",
                                    "Content-Length: 18446744073709551617\r\n",
                                    "Content-Length: 3.0\r\n",
                                    "Content-Length:\r\n",
                                    " Content-Length: 3\r\n",
                                    "X: 1\nContent-Length: 3\r\n",
                                    "X: 1\rContent-Length: 3\r\n",
                                    "X: \x01\r\nContent-Length: 3\r\n"}) {
    Wire wire;
    INFO(headers);
    CHECK(statuses(wire(post(headers, hidden))) == Statuses{400});
    CHECK(wire.service.served.empty());
  }
  Wire old;
  CHECK(statuses(old("POST /post HTTP/1.0\r\nTransfer-Encoding: chunked\r\n\r\n0\r\n\r\n")) ==
        Statuses{400});
}

TEST_CASE("a damaged chunked body is refused, and its rest is not taken for a request",
          "[http][framing][P11]") {
  for (const std::string body :
       {"3\nabc\r\n0\r\n\r\n", "3 abc\r\n0\r\n\r\n", "-3\r\nabc\r\n0\r\n\r\n",
        "0x3\r\nabc\r\n0\r\n\r\n", "3\r\nabcd\r\n0\r\n\r\n", "3\r\nab\r\n0\r\n\r\n",
        "\r\nabc\r\n0\r\n\r\n", "fffffffffffffffff\r\nabc\r\n0\r\n\r\n", "3;\r\n\r\n\r\n\r\n\r\n",
        "0\r\nA b: c\r\n\r\n", "0\r\nA: b\n\r\n\r\n"}) {
    Wire wire;
    INFO(body);
    CHECK(statuses(wire(post("Transfer-Encoding: chunked\r\n", body + hidden))) == Statuses{400});
    CHECK(wire.service.served.empty());
  }
  Wire quoted;  // a string that never ends: neither does the request
  quoted(
      post("Transfer-Encoding: chunked\r\n", "3;a=\"\r\nabc\r\n0\r\n\r\n" + std::string(hidden)));
  CHECK(quoted.service.served.empty());
}

TEST_CASE("a body is the same however its bytes arrive", "[http][framing]") {
  const std::vector<std::pair<std::string, std::string>> bodies = {
      {"Content-Length: 11\r\n", "hello world"},
      {"Transfer-Encoding: chunked\r\n", "5\r\nhello\r\n6\r\n world\r\n0\r\n\r\n"},
      {"Transfer-Encoding: Chunked\r\n", "b;a=1;b=\"2 3\"\r\nhello world\r\n0\r\nT: 1\r\n\r\n"},
      {"Transfer-Encoding: chunked\r\n", "00b\r\nhello world\r\n000;x\r\n\r\n"}};
  for (const auto& [headers, body] : bodies) {
    INFO(body);
    Wire at_once;
    CHECK(statuses(at_once(post(headers, body) + hidden)) == Statuses{200, 200});
    CHECK(at_once.service.served.at(0).body == "hello world");
    Wire dripping;
    std::vector<std::string> bytes;
    for (const char byte : post(headers, body) + hidden) bytes.emplace_back(1, byte);
    CHECK(statuses(dripping(bytes)) == Statuses{200, 200});
    CHECK(dripping.service.served.at(0).body == "hello world");
  }
}

TEST_CASE("the last chunk may come byte by byte", "[http][framing][P11]") {
  // Beast's parser ends the program if it gets less than the whole of it.
  for (const std::string path : {"/post", "/nothing"}) {
    Wire wire;
    const auto answer =
        wire({post("Transfer-Encoding: chunked\r\n", "", path), "0\r\n", "\r", "\n"});
    CHECK(statuses(answer) == Statuses{200});
  }
}

TEST_CASE("a trailer does not count as a header", "[http][framing][P10]") {
  Wire wire;
  const std::string trailer = "0\r\nAuthorization: Bearer x\r\nHost: y\r\n\r\n";
  const std::string answer = wire(post("Transfer-Encoding: chunked\r\n", trailer));
  CHECK(statuses(answer) == Statuses{200});
  REQUIRE(wire.service.served.size() == 1);
  CHECK(wire.service.served[0].header("Authorization").empty());
  CHECK(wire.service.served[0].header("Host") == "x");
}

TEST_CASE("chunk headers and trailers are bounded too", "[http][framing][P11]") {
  const std::string chunk = "1;" + std::string(60'000, 'x') + "\r\na\r\n0\r\n\r\n";
  const std::string trailer = "0\r\nX: " + std::string(60'000, 'x') + "\r\n\r\n";
  for (const std::string& body : {chunk, trailer}) {
    Wire wire;
    CHECK(statuses(wire(post("Transfer-Encoding: chunked\r\n", body))) == Statuses{431});
  }
}

TEST_CASE("a request names its host once", "[http][framing]") {
  for (const std::string headers :
       {"", "Host: x\r\nHost: y\r\n", "Host: x\r\nHost: x\r\n", "Host: a b\r\n", "Host: user@x\r\n",
        "Host: x:port\r\n", "Host: x/y\r\n", "Host: x, y\r\n", "Host: x,y\r\n", "Host: [::1\r\n",
        "Host: http://x\r\n", "Host: x?\r\n"}) {
    Wire wire;
    INFO(headers);
    CHECK(statuses(wire("GET / HTTP/1.1\r\n" + headers + "\r\n" + hidden)) == Statuses{400});
    CHECK(wire.service.served.empty());
  }
  for (const std::string headers : {"Host: x\r\n", "host:x:8443\r\n", "HOST: \t[::1]:80 \r\n",
                                    "Host: 127.0.0.1\r\n", "Host: a_b.test\r\n", "Host:\r\n"}) {
    Wire wire;
    INFO(headers);
    CHECK(statuses(wire("GET / HTTP/1.1\r\n" + headers + "\r\n")) == Statuses{200});
  }
  Wire old;
  CHECK(statuses(old("GET / HTTP/1.0\r\n\r\n")) == Statuses{200});
}

TEST_CASE("a target has one of four forms", "[http][framing]") {
  Wire wire;
  const auto ask = [&wire](const std::string& line, const std::string& host = "x") {
    wire.service.served.clear();
    return statuses(wire(line + " HTTP/1.1\r\nHost: " + host + "\r\n\r\n"));
  };
  CHECK(ask("GET http://there:81/a%20b/?q=1") == Statuses{200});
  REQUIRE(wire.service.served.size() == 1);
  CHECK(wire.service.served[0].path == "/a b");
  CHECK(wire.service.served[0].parameter("q") == "1");
  CHECK(wire.service.served[0].header("Host") == "there:81");
  CHECK(ask("GET HTTPS://[::1]") == Statuses{200});
  CHECK(wire.service.served.at(0).path == "/");
  CHECK(wire.service.served.at(0).header("Host") == "[::1]");
  CHECK(ask("OPTIONS http://there") == Statuses{200});
  CHECK(wire.service.served.at(0).path == "*");
  CHECK(ask("OPTIONS *") == Statuses{200});
  CHECK(ask("CONNECT there:443") == Statuses{405});
  for (const std::string line :
       {"GET http://user@there/", "GET http://user:word@there/", "GET http://x,there/",
        "GET ftp://there/", "GET http:///a", "GET http:/a", "GET http://", "GET there/a", "GET *",
        "POST *", "GET ?q", "GET /a#b", "GET http://there/#b", "GET /%zz", "GET /%",
        "GET there:443", "GET //%2"}) {
    INFO(line);
    CHECK(ask(line) == Statuses{400});
    CHECK(wire.service.served.empty());
  }
}

TEST_CASE("a target is refused that has a scheme and hardly anything behind it",
          "[http][framing]") {
  for (const std::string scheme : {"http:", "https:", "HTTPS:", "hTtp:", "ftp:", "a:", ":", ""}) {
    for (const std::string rest :
         {"?",  "#",  "[",  "]", "^",  "\"", "%",   "x",   ":",   "@",   ".",  "?q",
          "?#", "[]", ".?", "/", "/?", "//", "//?", "//#", "//:", "//@", "///"}) {
      const std::string target = scheme + rest;
      if (target.starts_with('/')) continue;
      Wire wire;
      INFO(target);
      CHECK(statuses(wire("GET " + target + " HTTP/1.1\r\nHost: x\r\n\r\n")) == Statuses{400});
      CHECK(wire.service.served.empty());
    }
  }
}

TEST_CASE("a header on several lines is one list, and a single-value header may occur only once",
          "[http][framing]") {
  Wire wire;
  CHECK(statuses(wire("GET / HTTP/1.1\r\nHost: x\r\nIf-None-Match: \"a\"\r\nX: 1\r\n"
                      "if-none-match: \"b\", \"c\"\r\nAuthorization: Bearer t\r\n"
                      "authorization: Bearer t\r\n\r\n")) == Statuses{200});
  const HttpRequest& request = wire.service.served.at(0);
  CHECK(request.header("If-None-Match") == "\"a\", \"b\", \"c\"");
  CHECK(request.header("Authorization") == "Bearer t");
  for (const std::string name : {"Authorization", "api-key", "Origin", "Content-Type",
                                 "Idempotency-Key", "Last-Event-ID", "X-Internal-Service-Key"}) {
    Wire twice;
    INFO(name);
    CHECK(statuses(twice("GET / HTTP/1.1\r\nHost: x\r\n" + name + ": a\r\n" + name +
                         ": b\r\n\r\n")) == Statuses{400});
  }
}

TEST_CASE("empty lines before a request are skipped", "[http][framing]") {
  for (const std::string lines : {"\r\n", "\r\n\r\n", "\r\n\r\n\r\n\r\n\r\n\r\n"}) {
    Wire wire;
    CHECK(statuses(wire(lines + hidden + lines + hidden)) == Statuses{200, 200});
    Wire dripping;
    std::vector<std::string> bytes;
    for (const char byte : lines + hidden) bytes.emplace_back(1, byte);
    CHECK(statuses(dripping(bytes)) == Statuses{200});
  }
  for (const std::string lines : {"\n", "\r", "\r\r\n", " \r\n", "\r\n\n"}) {
    Wire wire;
    CHECK(statuses(wire(lines + hidden)) == Statuses{400});
  }
}
