// The HTTP API: finds the route of a request, looks at its credential, calls the handler and gives
// the answer the headers and the form that all answers have. The routes: routes.cpp.
//
// One object for all workers.
#pragma once

#include <optional>
#include <string>
#include <string_view>

#include "base/reloadable.hpp"
#include "server/api/api_parts.hpp"
#include "server/api/post_limits.hpp"
#include "server/api/readiness.hpp"
#include "server/net/http_connection.hpp"
#include "server/relay/access/origin.hpp"
#include "server/relay/worker.hpp"

namespace verbatim::api {

class Api {
 public:
  explicit Api(const ApiParts& parts);
  Api(const Api&) = delete;
  Api& operator=(const Api&) = delete;

  net::Awaitable<net::HttpResponse> answer(net::HttpRequest request, relay::Worker& worker);
  /// Takes over settings of which it has a form of its own. Any thread.
  void reload();
  /// Looks at the head alone, before a body is read: a peer that may not call sends no body.
  net::BodyVerdict judge_body(const net::HttpRequest& head) const;
  /// Counts an answer.
  void answered(std::string_view path, int status);

 private:
  std::string admitted_origin(const net::HttpRequest& request) const;
  void add_privacy(const net::HttpRequest& request, net::HttpResponse& response) const;
  net::Awaitable<net::HttpResponse> route(net::HttpRequest& request, relay::Worker& worker);

  Reloadable<const access::OriginRules> origins_;
  PostLimits post_limits_;
  Readiness readiness_;
  const ApiServices services_;
};

}  // namespace verbatim::api
