// The checks of /readyz. The call needs no key, and a check costs a sync or a TLS handshake. All
// callers therefore share each check: one at a time, and at most one a second.
//
// Any thread.
#pragma once

#include <chrono>
#include <string>

#include "server/api/api_parts.hpp"
#include "server/net/single_flight.hpp"

namespace verbatim::api {

class Readiness {
 public:
  explicit Readiness(const ApiParts& parts) : parts_(parts) {}

  /// The trouble that was found; empty: none.
  net::Awaitable<std::string> journal_trouble(net::Executor executor);
  net::Awaitable<std::string> upstream_trouble(net::Executor executor);

 private:
  net::Awaitable<std::string> prove_journal(net::Executor executor);

  const ApiParts parts_;
  net::SingleFlight<std::string> journal_check_{std::chrono::seconds(1)};
  net::SingleFlight<std::string> upstream_check_{std::chrono::seconds(1)};
};

}  // namespace verbatim::api
