// Refusals of an upgrade that several of its steps make. Pure; any thread.
#pragma once

#include <string>
#include <utility>

#include "server/net/http_message.hpp"
#include "server/relay/access/admission.hpp"
#include "server/relay/access/auth.hpp"

namespace verbatim::relay {

/// Value of Retry-After while the storage fails: an operator must repair it.
inline constexpr int storage_retry_seconds = 10;
inline net::HttpResponse retry_later(net::HttpResponse response, int delay_s) {
  response.headers.emplace_back("Retry-After", std::to_string(delay_s));
  return response;
}

inline net::HttpResponse no_such_session() {
  return net::openai_error(404, "session_not_found", "There is no such session.");
}

inline net::HttpResponse too_few_descriptors() {
  constexpr int retry_seconds = 5;
  return retry_later(net::openai_error(503, "too_many_connections",
                                       "The relay has too few file descriptors for another "
                                       "conversation."),
                     retry_seconds);
}

inline tl::unexpected<access::NotAdmitted> not_authorized(const access::AuthFailure& why) {
  return access::not_admitted(net::openai_error(why.status, why.code, why.message));
}

}  // namespace verbatim::relay
