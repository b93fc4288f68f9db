// The secrets that the configuration holds, for cutting them out of what is shown. Pure; any
// thread.
#pragma once

#include <string>
#include <vector>

#include "config/settings.hpp"

namespace verbatim::server {

/// The provider's key in each form in which a peer may repeat it, and the proxy's password.
std::vector<std::string> secrets_of(const config::Upstream& settings);
/// Those, and all others of the configuration: no log line may hold them.
std::vector<std::string> secrets_of(const config::Settings& settings);

}  // namespace verbatim::server
