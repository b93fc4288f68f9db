// The body of POST /v1/retention, read and judged.
//
// Pure; any thread. Untrusted input: a wrong one is refused with the response to send.
#pragma once

#include <chrono>
#include <optional>
#include <string_view>

#include "server/net/result.hpp"

namespace verbatim::requests {

struct RetentionRequest {
  std::optional<std::chrono::milliseconds> older_than;  ///< none: storage.retention
  bool dry_run = false;                                 ///< count, and erase nothing
};

/// An empty body asks for a run with the configured retention.
net::Result<RetentionRequest> read_retention_request(std::string_view body);

}  // namespace verbatim::requests
