#include "server/fleet/peers/peer_link.hpp"

#include <netinet/tcp.h>
#include <sys/socket.h>

#include <algorithm>
#include <boost/asio/write.hpp>
#include <charconv>
#include <utility>

#include "base/clock.hpp"
#include "base/url.hpp"
#include "server/fleet/peers/peer_request.hpp"
#include "server/fleet/peers/peer_token.hpp"
#include "server/fleet/peers/tunnel.hpp"
#include "server/net/dial.hpp"
#include "server/net/from_callback.hpp"
#include "server/net/tls.hpp"

namespace verbatim::peers {

namespace {

/// A client may wait this long for a transcript to become final (docs/api.md).
constexpr int wait_seconds_max = 300;

/// Finds out within half a minute that the node's machine is gone. A node that stops reading for as
/// long counts as gone too.
void watch_for_death(net::Socket& socket) {
  const int descriptor = socket.native_handle();
  const auto set = [descriptor](int level, int name, int value) {
    ::setsockopt(descriptor, level, name, &value, sizeof value);
  };
  set(SOL_SOCKET, SO_KEEPALIVE, 1);
  set(IPPROTO_TCP, TCP_KEEPIDLE, 5);
  set(IPPROTO_TCP, TCP_KEEPINTVL, 2);
  set(IPPROTO_TCP, TCP_KEEPCNT, 3);
  set(IPPROTO_TCP, TCP_USER_TIMEOUT, 30'000);
}

/// Time that the node may take for its answer's head.
std::chrono::milliseconds answer_time(const config::Settings& settings,
                                      const net::HttpRequest& request) {
  int wait_seconds = 0;
  if (const auto wait = request.parameter("wait"))
    std::from_chars(wait->data(), wait->data() + wait->size(), wait_seconds);
  return settings.server.request_timeout +
         std::chrono::seconds(std::clamp(wait_seconds, 0, wait_seconds_max));
}

constexpr int upgrade_status = 101;

/// Between two tries to reach a session's node, or to take the session over.
constexpr std::chrono::milliseconds take_interval{100};
/// Beyond the length of a lease, for the tries themselves.
constexpr std::chrono::milliseconds take_spare{500};

const char* to_string(PeerRefusal why) {
  switch (why) {
    case PeerRefusal::none:
    case PeerRefusal::other_node:
      break;
    case PeerRefusal::not_signed:
      return "the token is not signed with this fleet's auth.token_secret_file";
    case PeerRefusal::too_old:
      return "the token's time is not now: do the clocks of the relays agree?";
  }
  return "";
}

/// The answer of a node that refuses an upgrade. It is short.
net::Awaitable<net::HttpResponse> refusal_of(std::shared_ptr<PeerAnswer> answer) {
  net::HttpResponse response = answer->head();
  co_await PeerAnswer::add_body(std::move(answer), response);
  response.source = nullptr;
  co_return response;
}

net::HttpResponse node_unreachable(const std::string& path) {
  const char* const detail =
      "The session is on another relay of the fleet, which does not answer now. Try again.";
  net::HttpResponse response = net::is_realtime_path(path)
                                   ? net::openai_error(503, "node_unreachable", detail)
                                   : net::problem(503, "node unreachable", detail);
  response.headers.emplace_back("Retry-After", "1");
  return response;
}

}  // namespace

PeerLink::PeerLink(PeerParts parts, const PeerOptions& options)
    : parts_(parts),
      connect_timeout_(options.connect_timeout),
      lease_ttl_(options.lease_ttl),
      tls_(net::client_context(options.ca_file)) {}

std::string PeerLink::key() const {
  return parts_.authenticator.get()->derived_key(peer_key_purpose);
}

net::Awaitable<relay::SessionHome> PeerLink::home_of(net::Executor executor, std::string session_id,
                                                     relay::Purpose purpose) {
  const auto start = [&](auto done) { parts_.directory.find(session_id, purpose, done); };
  co_return co_await net::from_callback<relay::SessionHome>(executor, start);
}

net::Awaitable<relay::TokenRecord> PeerLink::bring_token(net::Executor executor, std::string id) {
  const auto start = [&](auto done) { parts_.directory.bring_token(id, done); };
  co_return co_await net::from_callback<relay::TokenRecord>(executor, start);
}

net::Awaitable<relay::TokenRecord> PeerLink::revoke_token(net::Executor executor, std::string id,
                                                          TimeMs at) {
  const auto start = [&](auto done) { parts_.directory.revoke_token(id, at, done); };
  co_return co_await net::from_callback<relay::TokenRecord>(executor, start);
}

std::string PeerLink::token_for(const net::HttpRequest& request, const std::string& session_id,
                                const relay::Node& node) const {
  return mint_peer_token(key(), {session_id, node.incarnation, now().wall / 1000, request.remote,
                                 request.secure, request.proxied});
}

net::Awaitable<tl::expected<net::Transport, std::string>> PeerLink::connect(
    net::Executor executor, const Address& address) const {
  net::AbortDial abort;
  const net::Deadline deadline(executor, connect_timeout_, [&abort] {
    if (abort) abort();
  });
  auto socket = co_await net::connect_to(executor, address.host, address.port, abort);
  if (!socket) co_return tl::unexpected(std::move(socket).error());
  watch_for_death(*socket);
  if (!address.tls) co_return net::Transport(*std::move(socket));
  net::abort_by_shutdown(*socket, abort);
  auto stream = co_await net::secure(*std::move(socket), tls_.native_handle(), address.host);
  abort = nullptr;
  co_return stream;
}

net::Awaitable<PeerLink::Answered> PeerLink::exchange(net::Executor executor,
                                                      const net::HttpRequest& request,
                                                      const std::string& session_id,
                                                      const relay::Node& node) const {
  const auto address = parse_address(node.url);
  if (!address) co_return tl::unexpected(std::string("its fleet.peer_url is not a URL"));
  auto stream = co_await connect(executor, *address);
  if (!stream) co_return tl::unexpected(std::move(stream).error());
  const net::Deadline deadline(
      executor, answer_time(*parts_.settings.get(), request),
      [descriptor = stream->socket().native_handle()] { ::shutdown(descriptor, SHUT_RDWR); });
  const std::string bytes = request_for_peer(request, authority(address->host, address->port),
                                             token_for(request, session_id, node));
  const auto [unsent, sent] =
      co_await asio::async_write(*stream, asio::buffer(bytes), net::use_tuple);
  if (unsent) co_return tl::unexpected("it took no request: " + unsent.message());
  const auto answer = std::make_shared<PeerAnswer>(*std::move(stream));
  if (const error_code ec = co_await answer->read_head())
    co_return tl::unexpected("it gave no answer: " + ec.message());
  co_return answer;
}

net::Awaitable<PeerLink::Answered> PeerLink::answer_of(net::Executor executor,
                                                       const net::HttpRequest& request,
                                                       const std::string& session_id,
                                                       relay::Node& node) {
  Answered answered = co_await exchange(executor, request, session_id, node);
  const bool moved = answered && ((*answered)->status() == relay::misdirected);
  if (moved || !answered) parts_.directory.forget(session_id);
  if (moved) {
    const relay::SessionHome home = co_await home_of(executor, session_id, relay::Purpose::look);
    const bool again = home.where == relay::SessionHome::Where::elsewhere &&
                       home.node.incarnation != node.incarnation;
    node = home.node;
    answered = again ? co_await exchange(executor, request, session_id, node)
                     : Answered(tl::unexpect, "it does not run the session");
    if (answered && (*answered)->status() == relay::misdirected)
      answered = Answered(tl::unexpect, "the session moves between relays");
  }
  co_return answered;
}

/// A node that is gone holds its lease for at most lease_ttl from its last sign of life.
net::Awaitable<PeerLink::Reached> PeerLink::reach(net::Executor executor,
                                                  const net::HttpRequest& request,
                                                  const std::string& session_id, relay::Node node) {
  using Taken = relay::SessionDirectory::Taken;
  const auto until = net::Clock::now() + lease_ttl_ + take_spare;
  net::Timer timer(executor);
  while (true) {
    Answered answered = co_await answer_of(executor, request, session_id, node);
    if (answered) co_return Reached{std::move(answered)};
    const auto start = [&](auto done) { parts_.directory.take(session_id, node, done); };
    const Taken taken = co_await net::from_callback<Taken>(executor, start);
    if (taken == Taken::here || taken == Taken::moved) parts_.directory.forget(session_id);
    if (taken == Taken::here) co_return Reached{std::move(answered), true};
    if (taken == Taken::unknown || net::Clock::now() >= until) {
      report_unreachable(node, answered.error());
      co_return Reached{std::move(answered)};
    }
    if (taken == Taken::moved) {
      const relay::SessionHome home = co_await home_of(executor, session_id, relay::Purpose::begin);
      if (home.where == relay::SessionHome::Where::here)
        co_return Reached{std::move(answered), true};
      if (home.where == relay::SessionHome::Where::elsewhere) node = home.node;
    }
    timer.expires_after(take_interval);
    co_await timer.async_wait(net::use_tuple);
  }
}

void PeerLink::report_unreachable(const relay::Node& node, const std::string& why) {
  count(Outcome::unreachable);
  const LineLimit::Verdict verdict = unreachable_line_.take(net::Clock::now());
  if (!verdict.write) return;
  parts_.log.warn("fleet.node_unreachable", {{"node", shown_address(node.url)},
                                             {"incarnation", node.incarnation},
                                             {"why", why},
                                             {"left_out", verdict.left_out},
                                             {"now", "clients of its sessions get 503"}});
}

net::Awaitable<relay::Carried> PeerLink::carry(net::HttpRequest request, net::Transport client,
                                               std::string session_id, relay::Node node,
                                               std::function<void()> upgraded) {
  const auto refuse = [&client](net::HttpResponse response) {
    return relay::Carried{net::HttpService::Refused{std::move(client), std::move(response)}, {}};
  };
  const net::Executor executor = client.get_executor();
  std::shared_ptr<Tunnel> tunnel;
  std::string early;
  {
    Reached reached = co_await reach(executor, request, session_id, std::move(node));
    if (reached.here)
      co_return relay::Carried{{}, relay::Carried::Here{std::move(request), std::move(client)}};
    if (!reached.answered) co_return refuse(node_unreachable(request.path));
    PeerAnswer& answer = **reached.answered;
    if (answer.status() != upgrade_status) {
      count(Outcome::answered);
      co_return refuse(co_await refusal_of(*std::move(reached.answered)));
    }
    const std::string head = answer.upgrade_head();
    early = answer.take_early();
    const net::Deadline deadline(executor, parts_.settings.get()->server.handshake_timeout,
                                 [&client] {
                                   error_code ignored;
                                   client.socket().close(ignored);
                                 });
    const auto [ec, size] = co_await asio::async_write(client, asio::buffer(head), net::use_tuple);
    if (ec) co_return relay::Carried();
    tunnel = std::make_shared<Tunnel>(std::move(client), answer.take_connection());
  }
  request = {};  // free the request: this coroutine frame lives as long as the WebSocket
  count(Outcome::websocket);
  upgraded();
  const auto entry = carried_->add(executor, [tunnel = std::weak_ptr(tunnel)] {
    if (const auto still = tunnel.lock()) still->stop();
  });
  co_await tunnel->run(std::move(early));
  co_return relay::Carried();
}

net::Awaitable<relay::Asked> PeerLink::ask(net::Executor executor, net::HttpRequest request,
                                           std::string session_id, relay::Node node) {
  Answered answered = co_await answer_of(executor, request, session_id, node);
  if (!answered) {
    report_unreachable(node, answered.error());
    co_return relay::Asked{node_unreachable(request.path), false};
  }
  count(Outcome::answered);
  const std::shared_ptr<PeerAnswer> answer = *std::move(answered);
  net::HttpResponse response = answer->head();
  if (!co_await PeerAnswer::add_body(answer, response))
    co_return relay::Asked{node_unreachable(request.path), false};
  if (response.source) answer->list_in(carried_);
  co_return relay::Asked{std::move(response)};
}

void PeerLink::recognise(net::HttpRequest& request) const {
  const std::string_view token = request.header(peer_token_header);
  if (token.empty() || !is_below_peer_prefix(request.path)) return;
  PeerRefusal why = PeerRefusal::none;
  auto claims =
      read_peer_token(key(), token, parts_.directory.incarnation(), now().wall / 1000, why);
  if (!claims) {
    if (why != PeerRefusal::other_node) report_stranger(request, why);
    return;
  }
  remove_peer_prefix(request);
  request.remote = std::move(claims->remote);
  request.secure = claims->secure;
  request.proxied = claims->proxied;
  request.peer_session = std::move(claims->session_id);
}

bool PeerLink::is_misdirected(const net::HttpRequest& request) const {
  const std::string_view token = request.header(peer_token_header);
  if (token.empty() || !is_below_peer_prefix(request.path)) return false;
  PeerRefusal why = PeerRefusal::none;
  read_peer_token(key(), token, parts_.directory.incarnation(), now().wall / 1000, why);
  return why == PeerRefusal::other_node;
}

void PeerLink::report_stranger(const net::HttpRequest& request, PeerRefusal why) const {
  strangers_.fetch_add(1, std::memory_order_relaxed);
  const LineLimit::Verdict verdict = stranger_line_.take(net::Clock::now());
  if (!verdict.write) return;
  parts_.log.warn("fleet.stranger", {{"remote", request.remote},
                                     {"why", to_string(why)},
                                     {"left_out", verdict.left_out},
                                     {"request", request.id}});
}

relay::PeerGauges PeerLink::gauges() const {
  const auto counted = [this](Outcome outcome) {
    return counts_[static_cast<std::size_t>(outcome)].load();
  };
  return {carried_->count(), counted(Outcome::websocket), counted(Outcome::answered),
          counted(Outcome::unreachable), strangers_.load()};
}

}  // namespace verbatim::peers
