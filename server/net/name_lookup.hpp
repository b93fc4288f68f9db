// Looks up a host's addresses on a thread of its own. The system's resolver cannot be interrupted
// and may take half a minute if no name server answers. Other sessions and the end of the program
// must not wait for it.
//
// Called on the caller's thread, which gets the result. Errors are error_codes.
#pragma once

#include <functional>
#include <string>
#include <vector>

#include "server/net/async.hpp"

namespace verbatim::net {

struct Addresses {
  error_code error;
  std::vector<tcp::endpoint> endpoints;
};

/// Sets `abort` while it waits; calling it ends the wait at once with operation_aborted.
Awaitable<Addresses> look_up(Executor executor, std::string host, std::string port,
                             std::function<void()>& abort);

}  // namespace verbatim::net
