// A request that a route has matched: the argument of its handler.
#pragma once

#include <string>

#include "server/net/http_message.hpp"
#include "server/relay/access/auth.hpp"
#include "server/relay/worker.hpp"

namespace verbatim::api {

struct RequestContext {
  net::HttpRequest& request;
  relay::Worker& worker;
  std::string id;  ///< the {id} of the path
  access::Principal principal;

  net::Executor executor() const { return worker.executor(); }
  bool is_client() const { return principal.kind == access::Principal::Kind::client_token; }
  /// The request uses this share of the store's time, the mergers' time, and the memory for
  /// answers. It is the share of the client token's user if it has one, else the session's.
  std::string share() const;
};

}  // namespace verbatim::api
