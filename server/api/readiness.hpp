// The checks of /readyz. The call needs no key, and a check costs a sync or a TLS handshake: for
// all callers together, each is made once at a time and at most once a second.
//
// Any thread.
#pragma once

#include <chrono>
#include <string>

#include "server/api/api_parts.hpp"
#include "server/net/single_flight.hpp"

namespace verbatim::server {

class Readiness {
 public:
  explicit Readiness(const ApiParts& parts) : parts_(parts) {}

  /// The trouble that was found; empty: none.
  Awaitable<std::string> journal_trouble(Executor executor);
  Awaitable<std::string> upstream_trouble(Executor executor);

 private:
  Awaitable<std::string> prove_journal(Executor executor);

  const ApiParts parts_;
  SingleFlight<std::string> journal_check_{std::chrono::seconds(1)};
  SingleFlight<std::string> upstream_check_{std::chrono::seconds(1)};
};

}  // namespace verbatim::server
