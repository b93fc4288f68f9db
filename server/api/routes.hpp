// The calls of the API, as a table. routes.cpp is the only place that lists them.
//
// Immutable; any thread.
#pragma once

#include <span>
#include <string>
#include <string_view>
#include <vector>

#include "server/api/authorize.hpp"
#include "server/api/handler.hpp"

namespace verbatim::api {

struct Route {
  const char* method;
  const char* path;  ///< {id} stands for one segment
  RequiredCredential credential;
  Handler* handler;
  /// In a fleet the node that runs the session of {id} answers.
  bool at_session_node = false;
  /// If that node does not answer, this one does, with what the fleet's database has.
  bool from_database = false;

  /// Whether this is the path's route; fills `id` with the segment of {id}.
  bool has_path(std::string_view path, std::string& id) const;
};

std::span<const Route> all_routes();

/// The route of a request; null if there is none. Fills `id`.
const Route* find_route(std::string_view method, std::string_view path, std::string& id);

/// The pattern of each path, once.
std::vector<std::string_view> route_patterns();

/// The pattern of a path; empty: no route has this path.
std::string_view pattern_of(std::string_view path);

/// The header Allow of a path; empty: no route has this path.
std::string methods_of(std::string_view path);

}  // namespace verbatim::api
