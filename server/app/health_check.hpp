// `verbatim health`: asks a running server whether it is ready. For container health checks, where
// no other TLS client is at hand.
#pragma once

#include <chrono>
#include <string>

namespace verbatim::server {

struct HealthAnswer {
  int status = 0;      ///< HTTP status; 0: no answer
  std::string detail;  ///< the answer's body, or what the network said
};

/// GET `url` without verifying the certificate: it asks this machine's own server, and believes
/// nothing but the status.
HealthAnswer ask_health(const std::string& url, std::chrono::milliseconds limit);

}  // namespace verbatim::server
