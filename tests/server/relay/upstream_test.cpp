// The upstream connection over real sockets and real TLS: what is verified, what is refused, and
// what is reported.
#include "server/relay/upstream.hpp"
#include "server/relay/access/configured_secrets.hpp"
#include "server/relay/metrics.hpp"
#include "server/relay/worker.hpp"

#include <boost/asio/buffer.hpp>
#include <boost/asio/co_spawn.hpp>
#include <boost/asio/connect.hpp>
#include <boost/asio/read_until.hpp>
#include <boost/asio/ssl/stream.hpp>
#include <boost/asio/write.hpp>
#include <catch2/catch.hpp>
#include <future>

#include "base/base64.hpp"
#include "base/crypto.hpp"
#include "server/net/listener.hpp"
#include "server/net/tls.hpp"
#include "server/net/ws_handshake.hpp"
#include "tests/support/temp_dir.hpp"

using namespace verbatim;
using namespace verbatim::access;
using namespace verbatim::net;
using namespace verbatim::relay;
using verbatim::test::TempDir;

namespace session = verbatim::session;

namespace {

/// Accepts WebSockets and sends one message that repeats the request's target and credentials; for
/// the model "host" the Host header.
class EchoService final : public HttpService {
 public:
  Awaitable<HttpResponse> answer(HttpRequest) override { co_return HttpResponse{}; }

  Awaitable<std::optional<Refused>> upgrade(HttpRequest request, Transport transport) override {
    if (request.parameter("model").value_or("") == "forbidden") {
      co_return Refused{std::move(transport),
                        openai_error(403, "model_not_found", "you have no access to it")};
    }
    if (request.parameter("model").value_or("") == "refused") {
      HttpResponse refusal;
      refusal.status = 401;
      refusal.body = refusal_;
      co_return Refused{std::move(transport), std::move(refusal)};
    }
    auto peer = co_await accept_websocket(std::move(transport), request, "", {});
    if (!peer) co_return std::nullopt;
    const bool wants_host = request.parameter("model").value_or("") == "host";
    const std::string seen = wants_host ? std::string(request.header("Host"))
                                        : request.target + " " +
                                              std::string(request.header("Authorization")) + " " +
                                              std::string(request.header("api-key"));
    const Outgoing one{&seen};
    CHECK_FALSE(peer->send({&one, 1}).waits);
    co_await peer->read();
    co_return std::nullopt;
  }

  explicit EchoService(std::string refusal) : refusal_(std::move(refusal)) {}

 private:
  std::string refusal_;
};

/// A provider's server on a loopback address.
class ProviderServer {
 public:
  /// `refusal`: the body with which it refuses the model "refused".
  explicit ProviderServer(const std::string& host, const std::filesystem::path& tls_dir,
                          std::string refusal = {})
      : metrics_(1),
        worker_(metrics_.tally(0)),
        service_(std::move(refusal)),
        files_(tls_dir.empty() ? CertificateFiles{} : ensure_self_signed(tls_dir)),
        tls_(tls_dir.empty() ? nullptr : server_context(files_)),
        listener_(worker_.executor(), Endpoint{host, 0}, tls_dir.empty() ? nullptr : &tls_,
                  http_limits(verbatim::config::Settings().server), {100, 100},
                  {{worker_.executor(), &service_}}, log_) {
    listener_.start();
  }
  ~ProviderServer() { worker_.join(); }

  std::uint16_t port() const { return listener_.port(); }
  std::string authority() const { return listener_.url().substr(listener_.url().find("//") + 2); }
  Executor executor() { return worker_.executor(); }
  const CertificateFiles& files() const { return files_; }

 private:
  Log log_{{}};
  Metrics metrics_;
  Worker worker_;
  EchoService service_;
  CertificateFiles files_;
  ServerTls tls_;
  Listener listener_;
};

struct DialOutcome {
  std::string message;  ///< the first one that came
  std::optional<DialFailure> failure;
};

Awaitable<void> dial_once(const Upstream& upstream, Executor executor, Upstream::Wanted wanted,
                          std::promise<DialOutcome>& done) {
  Dial handle;
  auto dialled = co_await upstream.dial(executor, std::move(wanted), handle);
  DialOutcome outcome;
  if (!dialled) {
    outcome.failure = dialled.error();
  } else {
    auto& peer = *dialled;
    outcome.message = (co_await peer->read()).bytes;
    peer->abort();
  }
  done.set_value(outcome);
}

DialOutcome dial(ProviderServer& door, verbatim::config::Upstream settings,
                 Upstream::Wanted wanted) {
  const Upstream upstream(std::move(settings));
  std::promise<DialOutcome> done;
  asio::co_spawn(door.executor(), dial_once(upstream, door.executor(), std::move(wanted), done),
                 [](std::exception_ptr bug) {
                   if (bug) std::rethrow_exception(bug);
                 });
  return done.get_future().get();
}

DialOutcome dial(ProviderServer& door, verbatim::config::Upstream settings,
                 const std::string& model = "m") {
  return dial(door, std::move(settings), Upstream::Wanted{model});
}

verbatim::config::Upstream to(const std::string& url, const ProviderServer& door) {
  verbatim::config::Upstream settings = verbatim::config::Settings().upstream;
  settings.url = url;
  settings.ca_file = door.files().certificate;
  return settings;
}

}  // namespace

TEST_CASE("the provider is reached over TLS with its key and the model in the query",
          "[upstream][P9]") {
  TempDir dir;
  ProviderServer door("127.0.0.1", dir.path());
  auto settings = to("wss://" + door.authority() + "/v1/realtime", door);
  settings.api_key = Secret("sk-test");
  REQUIRE(dial(door, settings, "gpt x").message == "/v1/realtime?model=gpt%20x Bearer sk-test ");
  REQUIRE(dial(door, settings, "").message == "/v1/realtime?model=gpt-realtime Bearer sk-test ");
}

TEST_CASE("a transcription session connects with its intent and without a model, for any URL",
          "[upstream][P9]") {
  TempDir dir;
  ProviderServer door("127.0.0.1", dir.path());
  const auto asked = [&](const std::string& query, const std::string& parameter = "model") {
    auto settings = to("wss://" + door.authority() + "/v1/realtime" + query, door);
    settings.model_parameter = parameter;
    const std::string said = dial(door, settings, Upstream::Wanted{"gpt-realtime", true}).message;
    return said.substr(0, said.find(' '));
  };
  CHECK(asked("") == "/v1/realtime?intent=transcription");
  CHECK(asked("?model=gpt-realtime") == "/v1/realtime?intent=transcription");
  CHECK(asked("?a=1&model=m&b=2") == "/v1/realtime?a=1&b=2&intent=transcription");
  CHECK(asked("?api-version=1&deployment=d", "deployment") ==
        "/v1/realtime?api-version=1&intent=transcription");
  CHECK(asked("?models=m&intent=transcription") == "/v1/realtime?models=m&intent=transcription");
}

TEST_CASE("Azure's key header, and its preview's parameters", "[upstream][P9]") {
  TempDir dir;
  ProviderServer door("127.0.0.1", dir.path());
  auto settings =
      to("wss://" + door.authority() + "/openai/realtime?api-version=2025-04-01-preview", door);
  settings.api_key = Secret("azure");
  settings.auth = verbatim::config::UpstreamAuth::api_key_header;
  settings.model_parameter = "deployment";
  REQUIRE(dial(door, settings, "dep").message ==
          "/openai/realtime?api-version=2025-04-01-preview&deployment=dep  azure");
  settings.url += "&deployment=fixed";
  REQUIRE(dial(door, settings, "dep").message ==
          "/openai/realtime?api-version=2025-04-01-preview&deployment=fixed  azure");
}

TEST_CASE("a key for Basic authentication goes as it is", "[upstream][P9]") {
  TempDir dir;
  ProviderServer door("127.0.0.1", dir.path());
  auto settings =
      to("wss://" + door.authority() + "/api/v1/realtime/session?key=k&protocol=realtime", door);
  settings.api_key = Secret("aW53b3JsZDprZXk=");
  settings.auth = verbatim::config::UpstreamAuth::basic;
  REQUIRE(dial(door, settings, "openai/gpt-4o-mini").message ==
          "/api/v1/realtime/session?key=k&protocol=realtime&model=openai%2Fgpt-4o-mini "
          "Basic aW53b3JsZDprZXk= ");
}

TEST_CASE("a certificate of an unknown issuer is refused", "[upstream][P10]") {
  TempDir dir;
  ProviderServer door("127.0.0.1", dir.path());
  auto settings = to("wss://" + door.authority(), door);
  settings.ca_file.clear();
  const DialOutcome outcome = dial(door, settings);
  REQUIRE(outcome.failure);
  REQUIRE(outcome.failure->why.find("no secure connection") == 0);
}

TEST_CASE("a certificate for another name is refused", "[upstream][P10]") {
  TempDir dir;
  ProviderServer door("127.0.0.2", dir.path());  // the certificate is for localhost, 127.0.0.1, ::1
  const DialOutcome outcome = dial(door, to("wss://" + door.authority(), door));
  REQUIRE(outcome.failure);
  REQUIRE(outcome.failure->why.find("no secure connection") == 0);
}

TEST_CASE("a provider's refusal of the upgrade is reported in our words, with status and code",
          "[upstream][P10]") {
  TempDir dir;
  ProviderServer door("127.0.0.1", dir.path());
  const DialOutcome outcome = dial(door, to("wss://" + door.authority(), door), "forbidden");
  REQUIRE(outcome.failure);
  REQUIRE(outcome.failure->refused);
  REQUIRE(outcome.failure->why ==
          "the provider refused the connection (HTTP status 403, code model_not_found)");
  REQUIRE(outcome.failure->status == 403);
  REQUIRE(outcome.failure->code == "model_not_found");
}

TEST_CASE("of a refusal's text only a code that is a plain word is repeated", "[upstream][P10]") {
  const std::string key = "sk-proj-4711";
  const std::vector<std::pair<std::string, std::string>> refusals = {
      {R"({"error":{"code":"invalid_api_key","message":"Incorrect API key: )" + key + "\"}}",
       ", code invalid_api_key"},
      {R"({"error":{"code":")" + key + R"(","message":"x"}})", ""},
      {R"({"error":{"code":"key_)" + key + R"(","message":"x"}})", ""},
      {R"({"error":{"code":"You said: my cat has died","message":"x"}})", ""},
      {R"({"error":{"code":null,"type":"authentication_error","message":")" + key + "\"}}",
       ", code authentication_error"},
      {R"({"error":{"code":401,"status":"UNAUTHENTICATED"}})", ", code 401"},
      {R"({"error":"Bearer )" + key + "\"}", ""},
      {R"({"detail":"Not )" + key + "\"}", ""},
      {"<html>Bearer " + key + "</html>", ""},
      {"", ""},
  };
  for (const auto& [body, code] : refusals) {
    INFO(body);
    ProviderServer door("127.0.0.1", {}, body);
    verbatim::config::Upstream settings = verbatim::config::Settings().upstream;
    settings.url = "ws://" + door.authority();
    settings.api_key = Secret(key);
    const DialOutcome outcome = dial(door, settings, "refused");
    REQUIRE(outcome.failure);
    CHECK(outcome.failure->why ==
          "the provider refused the connection (HTTP status 401" + code + ")");
  }
}

TEST_CASE("the provider's credentials are known in each form in which a peer may repeat them",
          "[upstream][P10]") {
  verbatim::config::Upstream settings = verbatim::config::Settings().upstream;
  settings.api_key = Secret("dXNlcjpodW50ZXIy");
  settings.auth = verbatim::config::UpstreamAuth::basic;
  settings.proxy = "http://me:prox1@127.0.0.1:1";
  settings.url = "wss://h/x?api-key=query-key&model=gpt-realtime&access_token=a%20b%2Bc";
  const protocol::SecretFilter filter(secrets_of(settings));
  for (const char* secret :
       {"dXNlcjpodW50ZXIy", "user:hunter2", "hunter2", "me:prox1", "prox1", "query-key", "a b+c"}) {
    CHECK(filter.cut("x " + std::string(secret) + " y") == "x [hidden] y");
  }
  CHECK(filter.cut("model gpt-realtime at h for user") == "model gpt-realtime at h for user");
  CHECK(shown_address("wss://me:pw@h/x?api-key=k") == "wss://h:443/x");
}

TEST_CASE("a provider that is not there is named", "[upstream]") {
  TempDir dir;
  std::string gone;
  {
    ProviderServer door("127.0.0.1", {});
    gone = door.authority();
  }
  ProviderServer here("127.0.0.1", {});
  verbatim::config::Upstream settings = verbatim::config::Settings().upstream;
  settings.url = "ws://" + gone;
  const DialOutcome outcome = dial(here, settings);
  REQUIRE(outcome.failure);
  REQUIRE_FALSE(outcome.failure->refused);
  REQUIRE(outcome.failure->why.find("cannot connect to " + gone) == 0);
}

TEST_CASE("a TLS handshake that stalls is given up", "[upstream][P11]") {
  // A listener whose backlog accepts and whose program never answers.
  ProviderServer door("127.0.0.1", {});
  asio::io_context context;
  asio::basic_socket_acceptor<tcp, Executor> mute(context.get_executor(),
                                                  {asio::ip::make_address("127.0.0.1"), 0});
  verbatim::config::Upstream settings = verbatim::config::Settings().upstream;
  settings.url = "wss://127.0.0.1:" + std::to_string(mute.local_endpoint().port());
  settings.connect_timeout = std::chrono::milliseconds(100);
  const DialOutcome outcome = dial(door, settings);
  REQUIRE(outcome.failure);
  REQUIRE(outcome.failure->why.find("upstream.connect_timeout") != std::string::npos);
}

namespace {

/// A proxy for one connection: records the CONNECT request, then passes bytes both ways.
class Proxy {
 public:
  explicit Proxy(ProviderServer& door, std::string answer)
      : acceptor_(door.executor(), {asio::ip::make_address("127.0.0.1"), 0}),
        answer_(std::move(answer)),
        target_port_(door.port()) {
    asio::co_spawn(door.executor(), serve(), [](std::exception_ptr) {});
  }
  std::string url(const std::string& user_info) const {
    return "http://" + user_info + "127.0.0.1:" + std::to_string(acceptor_.local_endpoint().port());
  }
  std::string request() { return request_.get_future().get(); }

 private:
  Awaitable<void> serve() {
    auto [ec, client] = co_await acceptor_.async_accept(use_tuple);
    std::string head;
    co_await asio::async_read_until(client, asio::dynamic_buffer(head), "\r\n\r\n", use_tuple);
    request_.set_value(head);
    co_await asio::async_write(client, asio::buffer(answer_), use_tuple);
    Socket target(client.get_executor());
    co_await target.async_connect({asio::ip::make_address("127.0.0.1"), target_port_}, use_tuple);
    asio::co_spawn(client.get_executor(), pump(client, target), [](std::exception_ptr) {});
    co_await pump(target, client);
  }
  static Awaitable<void> pump(Socket& from, Socket& to) {
    char bytes[4096];
    while (true) {
      auto [read_error, size] = co_await from.async_read_some(asio::buffer(bytes), use_tuple);
      if (read_error) break;
      auto [write_error, written] =
          co_await asio::async_write(to, asio::buffer(bytes, size), use_tuple);
      if (write_error) break;
    }
    error_code ignored;
    to.close(ignored);
  }

  asio::basic_socket_acceptor<tcp, Executor> acceptor_;
  std::string answer_;
  std::uint16_t target_port_;
  std::promise<std::string> request_;
};

}  // namespace

TEST_CASE("an outbound proxy is asked for a tunnel, and TLS goes through it", "[upstream]") {
  TempDir dir;
  ProviderServer door("127.0.0.1", dir.path());
  Proxy proxy(door, "HTTP/1.1 200 Connection established\r\n\r\n");
  auto settings = to("wss://" + door.authority() + "/x", door);
  settings.proxy = proxy.url("user:pass@");
  REQUIRE(dial(door, settings).message == "/x?model=m  ");
  const std::string request = proxy.request();
  REQUIRE(request.find("CONNECT " + door.authority() + " HTTP/1.1\r\n") == 0);
  REQUIRE(request.find("Proxy-Authorization: Basic dXNlcjpwYXNz\r\n") != std::string::npos);
}

TEST_CASE("an outbound proxy gets the IPv6 address of a provider in brackets", "[upstream][P9]") {
  ProviderServer door("127.0.0.1", {});
  Proxy proxy(door, "HTTP/1.1 200 Connection established\r\n\r\n");
  verbatim::config::Upstream settings = verbatim::config::Settings().upstream;
  const std::string provider = "[2001:db8::1]:8443";
  settings.url = "ws://" + provider + "/x";
  settings.proxy = proxy.url("");
  REQUIRE(dial(door, settings, "host").message == provider);
  CHECK(proxy.request() == "CONNECT " + provider + " HTTP/1.1\r\nHost: " + provider + "\r\n\r\n");
}

TEST_CASE("a proxy's refusal is reported by its status only", "[upstream][P10]") {
  TempDir dir;
  ProviderServer door("127.0.0.1", dir.path());
  Proxy proxy(door, "HTTP/1.1 407 No good: user:pass\r\n\r\n");
  auto settings = to("wss://" + door.authority(), door);
  settings.proxy = proxy.url("");
  const DialOutcome outcome = dial(door, settings);
  REQUIRE(outcome.failure);
  REQUIRE(outcome.failure->why == "the proxy refused the tunnel (HTTP status 407)");
}

namespace {

/// A provider that answers an upgrade correctly, with these additional header lines.
class Answering {
 public:
  Answering(ProviderServer& door, std::string lines)
      : acceptor_(door.executor(), {asio::ip::make_address("127.0.0.1"), 0}),
        lines_(std::move(lines)) {
    asio::co_spawn(door.executor(), serve(), [](std::exception_ptr) {});
  }
  std::string url() const {
    return "ws://127.0.0.1:" + std::to_string(acceptor_.local_endpoint().port());
  }

 private:
  Awaitable<void> serve() {
    auto [ec, socket] = co_await acceptor_.async_accept(use_tuple);
    std::string head;
    co_await asio::async_read_until(socket, asio::dynamic_buffer(head), "\r\n\r\n", use_tuple);
    const std::string name = "Sec-WebSocket-Key: ";
    const std::size_t at = head.find(name) + name.size();
    const std::string key = head.substr(at, head.find('\r', at) - at);
    // Then one text message: "hello".
    const std::string answer =
        "HTTP/1.1 101 Switching Protocols\r\nUpgrade: websocket\r\nConnection: Upgrade\r\n"
        "Sec-WebSocket-Accept: " +
        base64(sha1(key + "258EAFA5-E914-47DA-95CA-C5AB0DC85B11")) + "\r\n" + lines_ +
        "\r\n\x81\x05hello";
    co_await asio::async_write(socket, asio::buffer(answer), use_tuple);
    char byte = 0;
    co_await socket.async_read_some(asio::buffer(&byte, 1), use_tuple);
  }

  asio::basic_socket_acceptor<tcp, Executor> acceptor_;
  std::string lines_;
};

}  // namespace

TEST_CASE("a provider that chooses an extension or a subprotocol unasked is refused",
          "[upstream][P9]") {
  ProviderServer door("127.0.0.1", {});
  const auto outcome = [&door](const std::string& lines) {
    const Answering provider(door, lines);
    verbatim::config::Upstream settings = verbatim::config::Settings().upstream;
    settings.url = provider.url();
    return dial(door, settings);
  };
  for (const char* lines : {"", "Sec-WebSocket-Protocol:\r\n", "Sec-WebSocket-Extensions: , \r\n",
                            "X-Other: permessage-deflate\r\n"}) {
    INFO(lines);
    CHECK(outcome(lines).message == "hello");
  }
  for (const char* lines :
       {"Sec-WebSocket-Extensions: permessage-deflate\r\n", "sec-websocket-protocol: realtime\r\n",
        "Sec-WebSocket-Extensions:\r\nSec-WebSocket-Extensions: x-webkit-deflate-frame\r\n"}) {
    INFO(lines);
    const auto refused = outcome(lines).failure;
    REQUIRE(refused);
    CHECK(refused->why ==
          "its answer to the upgrade has an extension or a subprotocol that was not requested");
  }
}

TEST_CASE("a client that speaks only TLS 1.1 is refused", "[tls][P10]") {
  TempDir dir;
  ProviderServer door("127.0.0.1", dir.path());
  asio::io_context context;
  asio::ssl::context old(asio::ssl::context::tls_client);
  SSL_CTX_set_security_level(old.native_handle(), 0);
  SSL_CTX_set_min_proto_version(old.native_handle(), TLS1_VERSION);
  SSL_CTX_set_max_proto_version(old.native_handle(), TLS1_1_VERSION);
  asio::ssl::stream<tcp::socket> stream(context, old);
  stream.lowest_layer().connect({asio::ip::make_address("127.0.0.1"), door.port()});
  error_code ec;
  stream.handshake(asio::ssl::stream_base::client, ec);
  REQUIRE(ec);
}
