// The description of the API, server/api/openapi.json, as it is built into the program.
//
// Pure; any thread.
#pragma once

#include <string_view>

namespace verbatim::api {

std::string_view openapi_document();

}  // namespace verbatim::api
