// The table of routes: which call a method and a path are.
#include "server/api/routes.hpp"

#include <catch2/catch.hpp>
#include <set>

using namespace verbatim::api;

namespace {

/// "METHOD PATTERN ID" of the route; "none" if there is none.
std::string route_of(std::string_view method, std::string_view path) {
  std::string id;
  const Route* const route = find_route(method, path, id);
  return route ? std::string(route->method) + " " + route->path + " " + id : "none";
}

}  // namespace

TEST_CASE("a request's route is found by its method and its path, whose {id} is one segment",
          "[http]") {
  CHECK(route_of("GET", "/v1/sessions") == "GET /v1/sessions ");
  CHECK(route_of("POST", "/v1/sessions") == "POST /v1/sessions ");
  CHECK(route_of("GET", "/v1/sessions/s-1") == "GET /v1/sessions/{id} s-1");
  CHECK(route_of("GET", "/v1/sessions/s-1/events") == "GET /v1/sessions/{id}/events s-1");
  CHECK(route_of("GET", "/") == "GET / ");
  CHECK(route_of("PUT", "/v1/sessions") == "none");
  CHECK(route_of("GET", "/v1/sessions/") == "none");
  CHECK(route_of("GET", "/v1/sessions//events") == "none");
  CHECK(route_of("GET", "/v1/sessions/s-1/s-2") == "none");
  CHECK(route_of("GET", "/v1/session") == "none");
}

TEST_CASE("no two routes answer the same request", "[http]") {
  std::set<std::pair<std::string, std::string>> seen;
  for (const Route& route : all_routes()) {
    INFO(route.method << ' ' << route.path);
    CHECK(seen.emplace(route.method, route.path).second);
    std::string id;
    CHECK(find_route(route.method, route.path, id) == &route);
    CHECK(route.handler != nullptr);
  }
}

TEST_CASE("the methods of a path are those of all its routes, with HEAD and OPTIONS", "[http]") {
  CHECK(methods_of("/v1/sessions/s-1") == "GET, HEAD, DELETE, PATCH, OPTIONS");
  CHECK(methods_of("/v1/sessions/s-1/transcript") == "GET, HEAD, POST, OPTIONS");
  CHECK(methods_of("/v1/realtime") == "GET, HEAD, OPTIONS");
  CHECK(methods_of("/v1/nothing").empty());
}
