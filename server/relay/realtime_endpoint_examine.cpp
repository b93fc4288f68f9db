// The first step of an upgrade: what the client asks for, whether it may, and on which node.
#include <utility>

#include "base/clock.hpp"
#include "server/net/from_callback.hpp"
#include "server/relay/access/token_content.hpp"
#include "server/relay/access/token_judgement.hpp"
#include "server/relay/realtime_endpoint.hpp"
#include "server/relay/realtime_refusals.hpp"

namespace verbatim::relay {

namespace {

/// Value of Retry-After while the fleet's database cannot be asked.
constexpr int fleet_retry_seconds = 2;

/// `what`: the fact that cannot be known.
tl::unexpected<access::NotAdmitted> database_silent(const std::string& what) {
  return access::not_admitted(
      retry_later(net::openai_error(503, "session_node_unknown",
                                    "The fleet's database does not answer, so " + what + "."),
                  fleet_retry_seconds));
}

}  // namespace

RealtimeEndpoint::Step<RealtimeEndpoint::Examined> RealtimeEndpoint::examine(
    const net::HttpRequest& request, Worker& worker) const {
  const Moment requested_at = now();
  if (auto refusal = parts_.admission_control.refuse_address(request.remote))
    co_return tl::unexpected(std::move(*refusal));
  auto read =
      access::examine_upgrade(request, *parts_.authenticator.get(), *origins_.get(), now().wall);
  if (!read) co_return access::not_admitted(std::move(read).error());
  Examined examined{*std::move(read), {}};
  access::RealtimeCall& call = examined.call;
  call.requested_at = requested_at;
  if (parts_.observers != nullptr) call.traceparent = request.header("traceparent");
  if (auto refusal = refuse_secrets(call)) co_return access::not_admitted(std::move(*refusal));
  const bool named = call.names_session || !request.peer_session.empty();
  if (parts_.peers != nullptr && named) {
    auto home = co_await node_of(call, request, worker);
    if (!home) co_return tl::unexpected(std::move(home).error());
    examined.elsewhere = *std::move(home);
    if (examined.elsewhere) co_return std::move(examined);
  }
  if (const std::string why = parts_.storage.refusal(); !why.empty()) {
    co_return access::not_admitted(retry_later(
        net::openai_error(503, "storage_failure", "No conversation can begin: " + why + "."),
        storage_retry_seconds));
  }
  auto token = co_await token_of(call, worker);
  if (!token) co_return tl::unexpected(std::move(token).error());
  examined.token = *std::move(token);
  call.transcription =
      call.transcription ||
      parts_.upstream.dialect().read_session(examined.token.session_config_json).transcribes;
  co_return std::move(examined);
}

net::Awaitable<store::StoreResult<store::TokenStanding>> RealtimeEndpoint::judge(
    store::TokenUse use, Worker& worker) const {
  const std::int64_t window = parts_.settings.get()->session.resume_window.count();
  const auto start = [&](auto done) { parts_.store.judge_token(use, {now().wall, window}, done); };
  co_return co_await net::from_callback<store::StoreResult<store::TokenStanding>>(worker.executor(),
                                                                                  start);
}

/// Whether this node has made the session or its token, and it has not begun: then no other node
/// has it. One that has begun may have been taken over.
net::Awaitable<bool> RealtimeEndpoint::is_known_here(const access::RealtimeCall& call,
                                                     Worker& worker) const {
  const store::TokenUse use = call.token ? access::use_of(*call.token, call.session_id)
                                         : store::TokenUse{{}, call.session_id, false, 0};
  const auto found = co_await judge(use, worker);
  const bool bound = call.token && call.token->session_id == call.session_id;
  co_return found && !found->began && (found->owner || (bound && found->stored));
}

/// The other node that runs the session; nullopt: it begins or goes on here.
RealtimeEndpoint::Step<std::optional<Node>> RealtimeEndpoint::node_of(
    const access::RealtimeCall& call, const net::HttpRequest& request, Worker& worker) const {
  const bool from_peer = !request.peer_session.empty();
  if (from_peer && request.peer_session != call.session_id)
    co_return access::not_admitted(no_such_session());
  if (parts_.registry.user_of(call.session_id)) co_return std::nullopt;
  SessionHome home =
      co_await parts_.peers->home_of(worker.executor(), call.session_id, Purpose::begin);
  switch (home.where) {
    case SessionHome::Where::here:
    case SessionHome::Where::nowhere:
      break;
    case SessionHome::Where::unknown:
      if (parts_.suspended.waits(call.session_id) || !co_await is_known_here(call, worker))
        co_return database_silent("it cannot be known on which relay the session is");
      break;
    case SessionHome::Where::elsewhere:
      if (!from_peer) co_return std::move(home.node);
      co_return access::not_admitted(misdirected_answer());
  }
  co_return std::nullopt;
}

net::Awaitable<Carried> RealtimeEndpoint::carry(Examined examined, net::HttpRequest request,
                                                net::Transport transport, Worker& worker) const {
  // The other connection; that of the client has one.
  auto descriptors = parts_.descriptors.take(1);
  if (!descriptors) {
    worker.tally().not_admitted(access::AdmissionLimit::descriptors);
    worker.tally().upgrades_refused.add();
    co_return Carried{net::HttpService::Refused{std::move(transport), too_few_descriptors()}, {}};
  }
  const std::string path = request.path;
  const std::string session_id = std::move(examined.call.session_id);
  Node node = *std::move(examined.elsewhere);
  examined = {};  // this coroutine frame lives as long as the WebSocket
  auto carried = co_await parts_.peers->carry(
      std::move(request), std::move(transport), session_id, std::move(node),
      [this, &path] { parts_.requests.answered(path, 101); });
  if (carried.refused) worker.tally().upgrades_refused.add();
  co_return carried;
}

/// Refuses secrets in the URL: it is stored and logged, and its model is sent to the provider.
std::optional<net::HttpResponse> RealtimeEndpoint::refuse_secrets(
    const access::RealtimeCall& call) const {
  if (!parts_.ids.admits(call.session_id))
    return net::openai_error(400, "invalid_session_id",
                             "'session'" + std::string(access::IdGuard::why));
  if (!parts_.ids.admits(call.model))
    return net::openai_error(400, "invalid_model", "'model'" + std::string(access::IdGuard::why));
  return std::nullopt;
}

RealtimeEndpoint::Step<RealtimeEndpoint::Token> RealtimeEndpoint::token_of(
    const access::RealtimeCall& call, Worker& worker) const {
  if (!call.token) co_return Token();
  const access::TokenClaims& claims = *call.token;
  const store::TokenUse use = access::use_of(claims, call.session_id);
  auto found = co_await judge(use, worker);
  if (found && !found->stored && parts_.peers != nullptr && !claims.id.empty()) {
    const TokenRecord record = co_await parts_.peers->bring_token(worker.executor(), claims.id);
    if (record == TokenRecord::unknown && claims.configured)
      co_return database_silent("this relay cannot know the settings of a token that another made");
    if (record == TokenRecord::here) found = co_await judge(use, worker);
  }
  if (!found) {
    parts_.log.error("store.read_failed", {{"why", found.error().what()}});
    co_return access::not_admitted(net::openai_error(
        503, "storage_unavailable", "The session's configuration cannot be read."));
  }
  store::TokenStanding& standing = *found;
  const bool resumes = parts_.settings.get()->session.resume_window.count() > 0;
  if (const auto refused = access::refuse_opening(claims, call.token_expired, resumes, standing))
    co_return not_authorized(*refused);
  if (!standing.stored) co_return Token();
  if (!access::unseal_content(*standing.stored, claims.content_key))
    co_return not_authorized(access::forgotten_token());
  co_return std::move(*standing.stored);
}

}  // namespace verbatim::relay
