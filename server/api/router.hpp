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

struct RequestContext;
struct Route;

class Api {
 public:
  Api(const ApiParts& parts, const ApiStores& stores);
  Api(const Api&) = delete;
  Api& operator=(const Api&) = delete;

  net::Awaitable<net::HttpResponse> answer(net::HttpRequest request, relay::Worker& worker);
  /// Takes over the settings that it keeps in another form. Any thread.
  void reload();
  /// Looks at the head alone, before a body is read: a peer that may not call sends no body.
  net::BodyVerdict judge_body(const net::HttpRequest& head) const;
  /// Counts an answer.
  void answered(std::string_view path, int status);

 private:
  std::string admitted_origin(const net::HttpRequest& request) const;
  void add_privacy(const net::HttpRequest& request, net::HttpResponse& response) const;
  net::Awaitable<net::HttpResponse> route(net::HttpRequest& request, relay::Worker& worker);
  net::Awaitable<net::HttpResponse> handle(const Route& route, RequestContext& context);
  net::Awaitable<net::HttpResponse> handle_from_database(const Route& route,
                                                         RequestContext& context,
                                                         net::HttpResponse otherwise);

  Reloadable<const access::OriginRules> origins_;
  PostLimits post_limits_;
  Readiness readiness_;
  const ApiServices services_;
  /// With the stores of the fleet's database; nullopt: there is none.
  const std::optional<ApiServices> shared_services_;
};

}  // namespace verbatim::api
