// The form that answers have below some paths.
//
// Pure; any thread.
#pragma once

#include <string>

#include "server/net/http_message.hpp"

namespace verbatim::api {

/// Under /api/ every answer has the envelope of the product that Verbatim replaces; below
/// /v1/realtime errors have the provider's shape. Elsewhere it stays as it is.
net::HttpResponse in_form_of(const std::string& path, net::HttpResponse response);

}  // namespace verbatim::api
