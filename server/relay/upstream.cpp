#include "server/relay/upstream.hpp"

#include "server/relay/access/configured_secrets.hpp"

#include <algorithm>
#include <boost/asio/buffer.hpp>
#include <boost/asio/read_until.hpp>
#include <boost/asio/write.hpp>
#include <stdexcept>
#include <utility>

#include "base/base64.hpp"
#include "server/net/dial.hpp"
#include "server/net/tls.hpp"
#include "server/net/ws_handshake.hpp"
#include "server/relay/key_header.hpp"

namespace verbatim::relay {

namespace {

constexpr std::size_t proxy_answer_bytes_max = 8 * 1024;

/// " (HTTP status 407)" if the first line has a status.
std::string status_in(std::string_view answer) {
  constexpr std::size_t at = 9;
  constexpr std::size_t digits = 3;
  const std::string_view status = answer.substr(std::min(at, answer.size()), digits);
  const bool is_number =
      status.size() == digits && std::all_of(status.begin(), status.end(), [](char c) {
        return std::isdigit(static_cast<unsigned char>(c));
      });
  return is_number ? " (HTTP status " + std::string(status) + ")" : "";
}

/// No answer came from the provider or its proxy.
tl::unexpected<DialFailure> unreachable(std::string why) {
  return tl::unexpected(DialFailure{false, std::move(why)});
}

}  // namespace

Upstream::Upstream(const config::Upstream& settings, net::WebSocketLimits limits,
                   const protocol::ProviderDialect& dialect)
    : settings_(std::make_shared<const config::Upstream>(settings)),
      key_(std::make_shared<const Secret>(settings.api_key)),
      hidden_(std::make_shared<protocol::SecretFilter>(access::secrets_of(settings))),
      limits_(limits),
      large_timeout_(limits.large_timeout),
      dialect_(dialect),
      tls_(net::client_context(settings.ca_file)) {
  auto address = parse_address(settings.url);
  if (!address) {
    throw std::runtime_error("upstream.url is not a ws: or wss: address: " + settings.url);
  }
  address_ = std::move(*address);
  if (!settings.proxy.empty()) {
    proxy_ = parse_address(settings.proxy);
    if (!proxy_ || proxy_->tls) {
      throw std::runtime_error("upstream.proxy must be http://[user:password@]host:port");
    }
  }
}

net::Awaitable<std::optional<std::string>> Upstream::open_tunnel(net::Socket& socket) const {
  const std::string target = authority(address_.host, address_.port);
  std::string request = "CONNECT " + target + " HTTP/1.1\r\nHost: " + target + "\r\n";
  if (!proxy_->user_info.empty()) {
    request += "Proxy-Authorization: Basic " + base64(proxy_->user_info) + "\r\n";
  }
  request += "\r\n";
  const auto [write_error, written] =
      co_await asio::async_write(socket, asio::buffer(request), net::use_tuple);
  if (write_error) co_return "the proxy went away: " + write_error.message();
  std::string answer;
  const auto [read_error, size] = co_await asio::async_read_until(
      socket, asio::dynamic_buffer(answer, proxy_answer_bytes_max), "\r\n\r\n", net::use_tuple);
  if (read_error) co_return "the proxy gave no answer: " + read_error.message();
  if (answer.size() < 12 || answer.compare(0, 7, "HTTP/1.") != 0 || answer[9] != '2') {
    co_return "the proxy refused the tunnel" + status_in(answer);
  }
  co_return std::nullopt;
}

net::Awaitable<Upstream::Connected> Upstream::connect(const net::Executor& executor,
                                                      Dial& handle) const {
  const Address& first = proxy_ ? *proxy_ : address_;
  auto socket = co_await net::connect_to(executor, first.host, first.port, handle.abort);
  if (!socket) co_return unreachable(std::move(socket).error());
  net::abort_by_shutdown(*socket, handle.abort);
  if (proxy_) {
    if (auto refused = co_await open_tunnel(*socket)) {
      handle.abort = nullptr;
      co_return tl::unexpected(DialFailure{true, *refused});
    }
  }
  if (!address_.tls) co_return net::Transport(*std::move(socket));
  auto stream = co_await net::secure(*std::move(socket), tls_.native_handle(), address_.host);
  if (!stream) {
    handle.abort = nullptr;
    co_return unreachable(std::move(stream).error());
  }
  co_return *std::move(stream);
}

protocol::DialRequest Upstream::request(const Wanted& wanted) const {
  const auto settings = settings_.get();
  protocol::DialWish wish;
  wish.target = address_.target;
  wish.model_parameter = settings->model_parameter;
  wish.model = wanted.model.empty() ? settings->model : wanted.model;
  wish.organization = settings->organization;
  wish.project = settings->project;
  wish.type =
      wanted.transcription ? protocol::SessionType::transcription : protocol::SessionType::realtime;
  return dialect_.dial(wish);
}

net::Awaitable<tl::expected<std::unique_ptr<net::Peer>, DialFailure>> Upstream::dial(
    const net::Executor& executor, Wanted wanted, Dial& handle) const {
  const auto settings = settings_.get();
  bool late = false;
  const net::Deadline deadline(executor, settings->connect_timeout, [&handle, &late] {
    late = true;
    if (handle.abort) handle.abort();
  });
  const auto failed = [&late, &settings](bool refused, std::string why) {
    if (late) {
      why = "no connection within " + std::to_string(settings->connect_timeout.count()) +
            " ms (upstream.connect_timeout); last: " + why;
    }
    return DialFailure{refused, std::move(why)};
  };
  Connected connected = co_await connect(executor, handle);
  if (!connected) {
    DialFailure& failure = connected.error();
    co_return tl::unexpected(failed(failure.refused, std::move(failure.why)));
  }
  net::HeaderList headers;
  headers.emplace_back("User-Agent", "verbatim/" VERBATIM_VERSION);
  if (const auto key = key_.get(); !key->empty())
    headers.push_back(key_header(settings->auth, *key));
  protocol::DialRequest wanted_here = request(wanted);
  for (auto& [name, value] : wanted_here.headers) headers.emplace_back(name, std::move(value));
  const bool usual_port = address_.port == (address_.tls ? "443" : "80");
  const std::string host = authority(address_.host, usual_port ? "" : address_.port);
  net::WebSocketLimits limits = limits_;
  limits.message_bytes_max = settings->message_bytes_max;
  limits.large_timeout = large_timeout_;
  limits.large_owner = wanted.owner;
  auto opened =
      co_await net::open_websocket(*std::move(connected), host, std::move(wanted_here.target),
                                   std::move(headers), std::move(limits));
  handle.abort = nullptr;
  if (opened) co_return *std::move(opened);
  const net::HandshakeRefused& refused = opened.error();
  if (refused.status == 0) co_return tl::unexpected(failed(false, refused.reason));
  std::string code = hidden_->holds_part_of_secret(refused.code) ? "" : refused.code;
  DialFailure failure = failed(true, "the provider refused the connection (HTTP status " +
                                         std::to_string(refused.status) +
                                         (code.empty() ? "" : ", code " + code) + ")");
  failure.status = refused.status;
  failure.code = std::move(code);
  co_return tl::unexpected(std::move(failure));
}

void Upstream::reload(const config::Upstream& settings, std::chrono::milliseconds large_timeout) {
  large_timeout_ = large_timeout;
  settings_.set(std::make_shared<const config::Upstream>(settings));
}

void Upstream::use_key(Secret key) {
  config::Upstream fresh = *settings_.get();
  fresh.api_key = key;
  hidden_->add(
      access::secrets_of(fresh));  // first: a peer may repeat the key as soon as it is sent
  key_.set(std::make_shared<const Secret>(std::move(key)));
}

net::Awaitable<std::string> Upstream::probe(const net::Executor& executor) const {
  Dial handle;
  const net::Deadline deadline(executor, settings_.get()->connect_timeout, [&handle] {
    if (handle.abort) handle.abort();
  });
  const Connected connected = co_await connect(executor, handle);
  handle.abort = nullptr;
  co_return connected ? std::string() : connected.error().why;
}

}  // namespace verbatim::relay
