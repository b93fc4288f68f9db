// `verbatim health`: asks a running server whether it is ready. For container health checks in
// images without another TLS client. On the caller's thread.
#pragma once

#include <chrono>
#include <string>

#include "base/url.hpp"

namespace verbatim::app {

struct HealthAnswer {
  int status = 0;      ///< HTTP status; 0: no answer
  std::string detail;  ///< the answer's body, or the network error
};

/// The URL at which this machine reaches a server that listens on `address`. A client connects to
/// one address, not to all interfaces.
std::string local_url(const Endpoint& address, bool tls);
/// The URL of /readyz at which this machine reaches a server that listens on `address`.
std::string readiness_url(const Endpoint& address, bool tls);

/// GET `url`, for at most `limit`. Does not verify the certificate: it asks the server on this
/// machine, and uses only the status.
HealthAnswer ask_health(const std::string& url, std::chrono::milliseconds limit);

}  // namespace verbatim::app
