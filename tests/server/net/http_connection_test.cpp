// One connection, byte for byte: which HTTP framing is accepted and which refused; bytes after a
// refusal are never taken for a request.
#include "server/net/http_connection.hpp"

#include <boost/asio/co_spawn.hpp>
#include <boost/asio/post.hpp>
#include <boost/asio/read.hpp>
#include <boost/asio/write.hpp>
#include <catch2/catch.hpp>
#include <regex>
#include <string>
#include <vector>

#include "server/net/body_source.hpp"

using namespace verbatim;
using namespace verbatim::server;

namespace {

/// A service that shows what it got of a request. Below /post it reads bodies.
struct Echo final : HttpService {
  BodyVerdict judge_body(const HttpRequest& head) override {
    BodyVerdict verdict;
    verdict.read = head.path.starts_with("/post");
    if (head.path == "/post/denied") verdict.refused = problem(401, "unauthorized", "No.");
    return verdict;
  }
  Awaitable<HttpResponse> answer(HttpRequest request) override {
    HttpResponse response;
    if (request.path == "/stream") response.source = std::make_shared<Pieces>();
    std::string headers;
    for (const auto& [name, value] : request.headers) headers += name + "=" + value + "|";
    response.body = request.method + " " + request.path +
                    " host=" + std::string(request.header("Host")) + " " + headers +
                    " body=" + request.body;
    served.push_back(std::move(request));
    co_return response;
  }
  Awaitable<std::optional<Refused>> upgrade(HttpRequest request, Transport transport) override {
    served.push_back(std::move(request));
    HttpResponse response = problem(426, "upgraded", "As far as this test goes.");
    co_return Refused{std::move(transport), std::move(response)};
  }

  struct Pieces final : BodySource {
    Awaitable<std::string> next() override { co_return left-- > 0 ? "piece" : ""; }
    Clock::duration patience() const override { return std::chrono::seconds(5); }
    void abandon(bool) override {}
    int left = 2;
  };

  std::vector<HttpRequest> served;
};

/// A service, and the responses that a client gets for its bytes until the connection ends.
class Wire {
 public:
  Wire() { limits.bodies = &bodies; }

  /// Sends each piece when the one before has been read as far as possible. Closes our half of the
  /// connection after the last.
  std::string operator()(const std::vector<std::string>& pieces) {
    asio::io_context context;
    asio::basic_socket_acceptor<tcp, Executor> acceptor(context.get_executor(),
                                                        {asio::ip::address_v4::loopback(), 0});
    Socket near(context.get_executor());
    Socket far(context.get_executor());
    near.connect(acceptor.local_endpoint());
    near.set_option(tcp::no_delay(true));
    acceptor.accept(far);
    auto place = connections->take("127.0.0.1", context.get_executor());
    asio::co_spawn(
        context,
        serve_connection(std::move(far), std::move(std::get<0>(place)), {}, limits, service, log),
        rethrow);
    for (const std::string& piece : pieces) {
      error_code gone;
      asio::write(near, asio::buffer(piece), gone);
      settle(context);
    }
    error_code ignored;
    near.shutdown(Socket::shutdown_send, ignored);
    context.run();
    std::string answer;
    asio::read(near, asio::dynamic_buffer(answer), ignored);
    return answer;
  }
  std::string operator()(const std::string& bytes) { return (*this)(std::vector{bytes}); }

  Echo service;
  BodyMemory bodies{1024 * 1024, 64 * 1024};
  HttpLimits limits;

 private:
  static void rethrow(std::exception_ptr bug) {
    if (bug) std::rethrow_exception(bug);
  }
  /// Runs until nothing more happens without another byte. Each poll() checks the socket, so a few
  /// polls without work mean that all has been read.
  static void settle(asio::io_context& context) {
    for (int idle = 0; idle < 3;) idle = context.poll() == 0 ? idle + 1 : 0;
  }

  Log log{{}};
  std::shared_ptr<Connections> connections =
      std::make_shared<Connections>(Connections::Limits{}, limits.proxies, log);
};

std::vector<int> statuses(const std::string& answers) {
  std::vector<int> found;
  const std::regex line("HTTP/1\\.1 (\\d{3}) ");
  for (std::sregex_iterator at(answers.begin(), answers.end(), line), end; at != end; ++at) {
    found.push_back(std::stoi((*at)[1]));
  }
  return found;
}

using Statuses = std::vector<int>;

constexpr const char* hidden = "GET /hidden HTTP/1.1\r\nHost: x\r\n\r\n";

std::string post(const std::string& headers, const std::string& body,
                 const std::string& path = "/post") {
  return "POST " + path + " HTTP/1.1\r\nHost: x\r\n" + headers + "\r\n" + body;
}

std::string upgrade(const std::string& headers, const std::string& first_line = "GET / HTTP/1.1") {
  return first_line + "\r\nConnection: Upgrade\r\nUpgrade: websocket\r\n" + headers + "\r\n";
}

}  // namespace

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

TEST_CASE("input that is no HTTP is refused plainly", "[http][framing]") {
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
  Wire nobody;
  CHECK(statuses(nobody({post(expects, "", "/nothing"), "hello"})) == Statuses{200});
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
  const std::string with = get("GET /a HTTP/1.1\r\nHost: x\r\n\r\n");
  Wire head;
  const std::string without =
      head("HEAD /a HTTP/1.1\r\nHost: x\r\n\r\nHEAD /a HTTP/1.1\r\nHost: x\r\n\r\n");
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
