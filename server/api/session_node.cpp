#include "server/api/session_node.hpp"

#include <utility>

#include "base/assert.hpp"
#include "server/api/responses.hpp"
#include "server/api/store_access.hpp"
#include "server/relay/peers.hpp"
#include "server/relay/session_registry.hpp"
#include "storage/store/session_store.hpp"

namespace verbatim::api {

net::Awaitable<SessionNode> ask_session_node(const ApiServices& api,
                                             const RequestContext& context) {
  VERBATIM_EXPECTS(api.peers != nullptr);
  using Where = relay::SessionHome::Where;
  const bool from_peer = !context.request.peer_session.empty();
  SessionNode asked;
  if (from_peer && context.request.peer_session != context.id) {
    asked.answer = not_found();
    co_return asked;
  }
  if (api.registry.user_of(context.id)) co_return asked;  // it runs here
  relay::SessionHome home =
      co_await api.peers->home_of(context.executor(), context.id, relay::Purpose::look);
  asked.unsure = home.where == Where::unknown;
  if (home.where != Where::elsewhere) co_return asked;
  if (from_peer) {
    asked.answer = relay::misdirected_answer();
  } else {
    relay::Asked answered = co_await api.peers->ask(context.executor(), context.request, context.id,
                                                    std::move(home.node));
    asked.answer = std::move(answered.response);
    asked.silent = !answered.reached;
  }
  co_return asked;
}

net::Awaitable<std::optional<net::HttpResponse>> make_at_session_node(const ApiServices& api,
                                                                      const RequestContext& context,
                                                                      const std::string& session_id,
                                                                      bool is_new) {
  if (api.peers == nullptr || !context.request.peer_session.empty()) co_return std::nullopt;
  relay::SessionHome home =
      co_await api.peers->home_of(context.executor(), session_id, relay::Purpose::begin);
  if (home.where == relay::SessionHome::Where::elsewhere) {
    relay::Asked asked = co_await api.peers->ask(context.executor(), context.request, session_id,
                                                 std::move(home.node));
    co_return std::move(asked.response);
  }
  if (home.where != relay::SessionHome::Where::unknown || is_new) co_return std::nullopt;
  const auto call = [&](auto done) {
    api.sessions.find_owner(session_id, {"a session's owner"}, done);
  };
  const auto owner = co_await from_store<std::optional<std::string>>(context, call);
  if (owner && *owner) co_return std::nullopt;  // it was made here
  co_return session_node_unknown();
}

net::HttpResponse session_node_unknown() {
  return retry_later(
      net::problem(503, "session node unknown",
                   "This relay does not have the session. The fleet's database does "
                   "not answer, so it cannot be known whether another relay has it."));
}

}  // namespace verbatim::api
