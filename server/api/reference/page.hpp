// The reference page of the API (/docs/api), made from its description (openapi.json). It needs no
// script, and nothing of other hosts.
//
// Pure; any thread.
#pragma once

#include <string>

#include "base/json/tree.hpp"

namespace verbatim::api {

/// In the order of the description.
using Description = OrderedJson;

/// The whole page. `description`: a valid OpenAPI 3.1 document.
std::string reference_page(const Description& description);

}  // namespace verbatim::api
