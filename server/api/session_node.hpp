// In a fleet: calls about a session are answered by the node that runs it.
#pragma once

#include <optional>
#include <string>

#include "server/api/api_parts.hpp"
#include "server/api/request_context.hpp"
#include "server/net/async.hpp"

namespace verbatim::api {

/// The node that answers a call about a session.
struct SessionNode {
  std::optional<net::HttpResponse> answer;  ///< of the node that runs it; nullopt: answer here
  /// That node does not answer: so `answer` says. The fleet's database may have the session.
  bool silent = false;
  /// It cannot be known whether another node has the session: a 404 of this node would be a guess.
  bool unsure = false;
};

/// Asks the node that runs the session of the request, unless it is this one. A request that
/// another node passes on is never passed on again. Precondition: there is a fleet.
net::Awaitable<SessionNode> ask_session_node(const ApiServices& api, const RequestContext& context);

/// For a call that makes a session or a token for it: makes this node the session's home, so that
/// all that belongs to it is at one node. If another node is its home, returns that node's answer.
/// While the database cannot be asked, only an id that is new (`is_new`) or was made here is
/// accepted: any other gets 503.
net::Awaitable<std::optional<net::HttpResponse>> make_at_session_node(const ApiServices& api,
                                                                      const RequestContext& context,
                                                                      const std::string& session_id,
                                                                      bool is_new);

/// 503, in place of a 404 that would be a guess.
net::HttpResponse session_node_unknown();

}  // namespace verbatim::api
