// The secrets in the configuration, so that they can be removed from texts for clients and logs.
// Pure; any thread.
#pragma once

#include <string>
#include <vector>

#include "config/settings.hpp"

namespace verbatim::access {

/// The provider's key, in each form in which a peer may repeat it, and the proxy's password.
std::vector<std::string> secrets_of(const config::Upstream& settings);
/// These and all other secrets of the configuration, which no log line may contain.
std::vector<std::string> secrets_of(const config::Settings& settings);

}  // namespace verbatim::access
