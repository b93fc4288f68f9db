// The options that all HTTP calls of this program share. A handle belongs to one thread at a time.
#pragma once

#include <curl/curl.h>

#include <string>

namespace verbatim::webhooks {

/// Initialises libcurl before the first handle. Throws std::runtime_error if memory is short.
CURL* new_curl_handle();

/// No redirects, no proxy of the environment, no signals, no wait for a hanging name lookup, and
/// the program's name as user agent. `ca_file`: PEM file of certificate authorities; empty: those
/// of the system.
void set_common_options(CURL* handle, bool allow_http, const std::string& ca_file = {});

/// Refuses each connection to an address that is not public, and sets `refused` then. It must
/// outlive the call.
void refuse_private_addresses(CURL* handle, bool& refused);

}  // namespace verbatim::webhooks
