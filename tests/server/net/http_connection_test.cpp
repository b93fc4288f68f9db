// One connection: versions, limits of its requests, upgrades, and the order of its answers.
#include <catch2/catch.hpp>

#include "tests/server/net/wire.hpp"

using namespace verbatim;
using namespace verbatim::net;
using namespace verbatim::test;

TEST_CASE("a later minor version is served as HTTP/1.1", "[http][framing]") {
  for (const char minor : {'2', '3', '7', '9'}) {
    const std::string version = std::string("HTTP/1.") + minor;
    INFO(version);
    Wire wire;
    // The rest of HTTP/1.1 too: chunks, a persistent connection, a body with a length.
    const std::string answers =
        wire("GET /a/HTTP/1.0?HTTP/1.1 " + version + "\r\nHost: x\r\n\r\nPOST /post " + version +
             "\r\nHost: x\r\nTransfer-Encoding: chunked\r\n\r\n5\r\nwords\r\n" +
             "0\r\n\r\nGET /last HTTP/1.1\r\nHost: x\r\n\r\n");
    CHECK(statuses(answers) == Statuses{200, 200, 200});
    REQUIRE(wire.service.served.size() == 3);
    CHECK(wire.service.served[0].path == "/a/HTTP/1.0");
    CHECK(wire.service.served[1].body == "words");
    CHECK(statuses(wire("GET / " + version + "\r\n\r\n")) == Statuses{400});  // without Host

    Wire pieces;
    std::vector<std::string> bytes;
    for (const char one : "GET /a " + version + "\r\nHost: x\r\n\r\n") bytes.emplace_back(1, one);
    CHECK(statuses(pieces(bytes)) == Statuses{200});

    const std::string whole = "GET /a " + version + "\r\nHost: x\r\n\r\n";
    for (std::size_t cut = 1; cut < whole.size(); ++cut) {
      Wire halves;
      INFO(cut);
      CHECK(statuses(halves({whole.substr(0, cut), whole.substr(cut)})) == Statuses{200});
      REQUIRE(halves.service.served.size() == 1);
      CHECK(halves.service.served[0].path == "/a");
    }

    Wire upgraded;
    CHECK(statuses(upgraded(upgrade("Host: x\r\n", "GET / " + version))) == Statuses{426});
  }
}

TEST_CASE("a later major version is 505, and the connection is closed", "[http][framing]") {
  for (const std::string first : {"GET / HTTP/2.0", "GET / HTTP/3.0", "POST /post HTTP/2.1",
                                  "PRI * HTTP/2.0", "GET /a?HTTP/1.1 HTTP/9.9"}) {
    Wire wire;
    INFO(first);
    CHECK(statuses(wire(first + "\r\nHost: x\r\n\r\n" + hidden)) == Statuses{505});
    CHECK(wire.service.served.empty());
    Wire cut;
    CHECK(statuses(cut({first, "\r\nHost: x\r\n\r\n"})) == Statuses{505});
  }
}

TEST_CASE("input that is not HTTP is refused plainly", "[http][framing]") {
  for (const std::string bytes : {"PROXY TCP4 203.0.113.7 10.0.0.1 5000 443\r\n\r\n",
                                  "\x16\x03\x01\x02\x01\x01\x01\xfc\r\n\r\n",
                                  "GET /\r\n\r\n",
                                  "GET / HTTP/1.1\n\n",
                                  "GET / HTTP/1.1\nHost: x\n\n",
                                  "GET  / HTTP/1.1\r\nHost: x\r\n\r\n",
                                  "GET / HTTP/1.1 \r\nHost: x\r\n\r\n",
                                  "GET / http/1.1\r\nHost: x\r\n\r\n",
                                  "GET /\tHTTP/1.1\r\nHost: x\r\n\r\n",
                                  "(GET) / HTTP/1.1\r\nHost: x\r\n\r\n",
                                  "GET / HTTP/1.1\r\nHost: x\r\nno colon\r\n\r\n",
                                  "GET / HTTP/1.1\r\nHost: x\r\n: v\r\n\r\n",
                                  "GET / HTTP/11.1\r\nHost: x\r\n\r\n",
                                  "GET / HTTP/0.9\r\n\r\n",
                                  "GET / HTTP/1.x\r\nHost: x\r\n\r\n",
                                  "GET / HTTP/1.22\r\nHost: x\r\n\r\n",
                                  "GET / HTTP/2\r\nHost: x\r\n\r\n",
                                  "GET / HTTP/x.2\r\nHost: x\r\n\r\n",
                                  "GET /HTTP/1.2\r\nHost: x\r\n\r\n",
                                  "HTTP/1.2\r\nHost: x\r\n\r\n"}) {
    Wire wire;
    INFO(bytes);
    CHECK(statuses(wire(bytes)) == Statuses{400});
    CHECK(wire.service.served.empty());
  }
}

TEST_CASE("a head is as large as server.header_bytes_max", "[http][framing][P11]") {
  // Also with each header in a piece of its own, which Beast's parser does not count.
  Wire pieces;
  std::vector<std::string> lines{"GET / HTTP/1.1\r\nHost: x\r\n"};
  for (int i = 0; i < 200; ++i) lines.push_back("X-" + std::string(97, 'x') + ":\r\n");
  lines.emplace_back("\r\n");
  CHECK(statuses(pieces(lines)) == Statuses{431});
  std::string many;
  for (int i = 0; i < 10'000; ++i) many += "a:\r\n";
  for (const std::string& headers : {"X: " + std::string(20'000, 'x') + "\r\n", many}) {
    Wire wire;
    CHECK(statuses(wire("GET / HTTP/1.1\r\nHost: x\r\n" + headers + "\r\n")) == Statuses{431});
  }
  Wire line;
  CHECK(statuses(line("GET /" + std::string(20'000, 'x') + " HTTP/1.1\r\n\r\n")) == Statuses{431});
  Wire small;
  CHECK(statuses(small("GET / HTTP/1.1\r\nHost: x\r\n" + many.substr(0, 15'000) + "\r\n")) ==
        Statuses{200});
}

TEST_CASE("a folded header is one value", "[http][framing]") {
  Wire wire;
  CHECK(statuses(wire("GET / HTTP/1.1\r\nHost: x\r\nX: a\r\n b\r\n\tc\r\n\r\n")) == Statuses{200});
  CHECK(wire.service.served.at(0).header("X") == "a b c");
  Wire folded;  // it must not hide a coding from one of two readers
  const auto answer = folded(post("Transfer-Encoding:\r\n chunked\r\n", "0\r\n\r\n") + hidden);
  CHECK(folded.service.served.at(0).body.empty());
  CHECK(statuses(answer) == Statuses{200, 200});
}

TEST_CASE("a body that nothing reads is answered by its head and never read",
          "[http][framing][P11]") {
  for (const std::string method : {"GET", "POST", "DELETE", "HEAD", "OPTIONS"}) {
    for (const std::string length :
         {"Content-Length: 4000000", "Content-Length: 99999999999", "Transfer-Encoding: chunked"}) {
      Wire wire;
      INFO(method << " " << length);
      const std::string answer = wire(method + " /nothing HTTP/1.1\r\nHost: x\r\n" + length +
                                      "\r\nExpect: 100-continue\r\n\r\n" + hidden);
      CHECK(statuses(answer) == Statuses{200});
      CHECK(answer.find("Connection: close") != answer.npos);
      CHECK(wire.service.served.size() == 1);
    }
  }
}

TEST_CASE("only a peer that may send a body is asked to go on", "[http][framing][P11]") {
  const std::string expects = "Expect: 100-Continue\r\nContent-Length: 5\r\n";
  Wire wire;
  CHECK(statuses(wire({post(expects, ""), "hello"})) == Statuses{100, 200});
  CHECK(wire.service.served.at(0).body == "hello");
  Wire at_once;
  CHECK(statuses(at_once(post(expects, "hello"))) == Statuses{200});
  Wire denied;
  CHECK(statuses(denied({post(expects, "", "/post/denied"), "hello"})) == Statuses{401});
  Wire unread;
  CHECK(statuses(unread({post(expects, "", "/nothing"), "hello"})) == Statuses{200});
  Wire coded;
  CHECK(statuses(coded(post(expects + "Content-Encoding: gzip\r\n", ""))) == Statuses{415});
  Wire other;
  CHECK(statuses(other(post("Expect: the-unexpected\r\nContent-Length: 5\r\n", "hello"))) ==
        Statuses{417});
  Wire large;
  CHECK(statuses(large(post("Expect: 100-continue\r\nContent-Length: 5000000\r\n", ""))) ==
        Statuses{413});
  Wire old;
  CHECK(statuses(old({"POST /post HTTP/1.0\r\n" + expects + "\r\n", "hello"})) == Statuses{200});
}

TEST_CASE("a body in a coding that is not spoken here is refused", "[http][framing]") {
  for (const std::string coding : {"gzip", "deflate", "br", "gzip, identity", "GZIP"}) {
    Wire wire;
    const std::string answer =
        wire(post("Content-Encoding: " + coding + "\r\nContent-Length: 3\r\n", "abc"));
    CHECK(statuses(answer) == Statuses{415});
    CHECK(answer.find("Accept-Encoding: identity") != answer.npos);
  }
  Wire plain;
  CHECK(statuses(plain(post("Content-Encoding: identity\r\nContent-Length: 3\r\n", "abc"))) ==
        Statuses{200});
}

TEST_CASE("bodies together take no more memory than they may, and short ones always get through",
          "[http][framing][P11]") {
  Wire wire;
  wire.limits.body_bytes_max = 64 * 1024;
  std::vector<std::unique_ptr<BodyMemory::Share>> others;
  for (int i = 0; i < 16; ++i) {
    others.push_back(std::make_unique<BodyMemory::Share>(wire.bodies, ""));
    REQUIRE(others.back()->grow(64 * 1024 + BodyMemory::free_bytes));
  }
  const std::string large(60'000, 'x');
  for (const std::string headers :
       {"Content-Length: 60000\r\n", "Transfer-Encoding: chunked\r\n"}) {
    const bool chunked = headers.starts_with("T");
    const std::string answer = wire(post(headers, (chunked ? "ea60\r\n" : "") + large));
    CHECK(statuses(answer) == Statuses{503});
    CHECK(answer.find("Retry-After: ") != answer.npos);
  }
  CHECK(statuses(wire(post("Content-Length: 16384\r\n", large.substr(0, 16384)))) == Statuses{200});
  others.pop_back();
  CHECK(statuses(wire(post("Content-Length: 60000\r\n", large))) == Statuses{200});
  others.clear();
  CHECK(wire.bodies.counts().held == 0);
}

TEST_CASE("an upgrade is a GET without a body, with one key and one host", "[http][framing]") {
  const std::string key = "Sec-WebSocket-Key: dGhlIHNhbXBsZSBub25jZQ==\r\n";
  for (const std::string& headers :
       {"Host: x\r\nContent-Length: 3\r\n" + key, "Host: x\r\nTransfer-Encoding: chunked\r\n" + key,
        "Host: x\r\nContent-Length: 99999999999\r\n" + key, "Host: x\r\n" + key + key, key,
        "Host: x\r\nHost: y\r\n" + key, "Host: x\r\nTransfer-Encoding: gzip\r\n" + key}) {
    Wire wire;
    INFO(headers);
    CHECK(statuses(wire(upgrade(headers) + hidden)) == Statuses{400});
    CHECK(wire.service.served.empty());
  }
  const auto upgraded = [&](const std::string& bytes) {
    Wire wire;
    const auto answered = statuses(wire(bytes));
    return answered == Statuses{426} && wire.service.served.at(0).upgrade;
  };
  CHECK(upgraded(upgrade("Host: x\r\n" + key)));
  CHECK(upgraded(upgrade("Host: x\r\nContent-Length: 0\r\n" + key)));
  CHECK(
      upgraded("GET http://x/ HTTP/1.1\r\nHost: y\r\nConnection: keep-alive\r\nUpgrade: h2c\r\n"
               "Connection: upgrade\r\nUpgrade: WebSocket\r\n" +
               key + "\r\n"));
  // Not an upgrade but an ordinary request (RFC 6455, 4.1; RFC 9110, 7.8).
  CHECK_FALSE(upgraded(upgrade("Host: x\r\n" + key, "GET / HTTP/1.0")));
  CHECK_FALSE(upgraded(upgrade("Host: x\r\n" + key, "HEAD / HTTP/1.1")));
  CHECK_FALSE(upgraded(upgrade("Host: x\r\n" + key, "POST / HTTP/1.1")));
  Wire early;
  CHECK(statuses(early(upgrade("Host: x\r\n" + key) + "\x81\x80")) == Statuses{400});
}

TEST_CASE("requests on one connection are answered in their order", "[http][framing]") {
  Wire wire;
  // Also with each header in a piece of its own, which Beast's parser does not count.
  Wire pieces;
  std::vector<std::string> lines{"GET / HTTP/1.1\r\nHost: x\r\n"};
  for (int i = 0; i < 200; ++i) lines.push_back("X-" + std::string(97, 'x') + ":\r\n");
  lines.emplace_back("\r\n");
  CHECK(statuses(pieces(lines)) == Statuses{431});
  std::string many;
  for (int i = 0; i < 50; ++i) {
    many += "GET /" + std::to_string(i) + " HTTP/1.1\r\nHost: x\r\n\r\n";
  }
  CHECK(statuses(wire(many)) == Statuses(50, 200));
  for (int i = 0; i < 50; ++i) CHECK(wire.service.served[i].path == "/" + std::to_string(i));
}

TEST_CASE("HTTP/1.0 keeps its connection only if both say so", "[http][framing]") {
  Wire wire;
  const std::string kept = wire("GET / HTTP/1.0\r\nConnection: Keep-Alive\r\n\r\n" +
                                std::string("GET / HTTP/1.0\r\n\r\n") + hidden);
  CHECK(statuses(kept) == Statuses{200, 200});
  CHECK(kept.find("Connection: keep-alive") != kept.npos);
  Wire closed;
  CHECK(statuses(closed("GET / HTTP/1.1\r\nHost: x\r\nConnection: close\r\n\r\n" +
                        std::string(hidden))) == Statuses{200});
}

TEST_CASE("HEAD is answered as GET without the body", "[http][framing]") {
  Wire get;
  const std::string rest = " /a HTTP/1.1\r\nHost: x\r\nX-Request-Id: same\r\n\r\n";
  const std::string with = get("GET" + rest);
  Wire head;
  const std::string without = head("HEAD" + rest + "HEAD" + rest);
  const std::string heads = with.substr(0, with.find("\r\n\r\n") + 4);
  CHECK(without == heads + heads);
  Wire stream;
  const std::string streamed = stream("HEAD /stream HTTP/1.1\r\nHost: x\r\n\r\n");
  CHECK(statuses(streamed) == Statuses{200});
  CHECK(streamed.find("Content-Length") == streamed.npos);
  CHECK(streamed.find("piece") == streamed.npos);
  Wire read;
  CHECK(read("GET /stream HTTP/1.1\r\nHost: x\r\n\r\n").find("5\r\npiece\r\n0\r\n\r\n") !=
        std::string::npos);
}
