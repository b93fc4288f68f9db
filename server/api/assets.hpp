// The pages that the program serves: the console (web/console/) and the browser's client library
// (web/client/), built in by web/embed.cmake.
//
// Pure; any thread.
#pragma once

#include <string_view>

namespace verbatim::api {

struct Asset {
  std::string_view
      path;  ///< under which it is served: "/", "/console/NAME", "/docs/NAME", "/web/NAME"
  std::string_view type;  ///< its Content-Type
  std::string_view etag;  ///< quoted; of its bytes
  std::string_view bytes;
};

/// Null if there is none.
const Asset* find_asset(std::string_view path);

}  // namespace verbatim::api
