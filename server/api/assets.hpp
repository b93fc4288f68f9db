// The pages that the program serves: the console (web/console/), the browser's client library
// (web/client/) and its examples (web/examples/), built in by web/embed.cmake.
//
// Pure; any thread.
#pragma once

#include <span>
#include <string_view>

namespace verbatim::api {

struct Asset {
  std::string_view path;  ///< under which it is served: "/", "/console/NAME", "/web/v1/NAME"
  std::string_view type;  ///< its Content-Type
  std::string_view etag;  ///< quoted; of its bytes
  std::string_view bytes;
  std::string_view packed;  ///< the same, by gzip; empty if it is not served so
  bool immutable = false;  ///< the path has the hash of the content, so caches may keep it for ever
};

std::span<const Asset> all_assets();

/// Null if there is none.
const Asset* find_asset(std::string_view path);

/// For a module of another release, whose path has another hash: the module of this release.
/// While a fleet is upgraded, a page may get the name from one node and the module from another.
/// Null if `path` is not a module.
const Asset* find_successor(std::string_view path);

}  // namespace verbatim::api
