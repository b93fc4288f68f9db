// The addresses of a host, looked up on a thread of its own: the system's resolver can not be
// interrupted, may take half a minute when no name server answers, and nobody else must wait for
// that, neither another session nor the end of the program.
//
// The caller's thread.
#pragma once

#include <functional>
#include <string>
#include <vector>

#include "server/net/async.hpp"

namespace verbatim::server {

struct Addresses {
  error_code error;
  std::vector<tcp::endpoint> endpoints;
};

/// Sets `cut` while it waits; who calls that gets operation_aborted at once.
Awaitable<Addresses> look_up(Executor executor, std::string host, std::string port,
                             std::function<void()>& abort);

}  // namespace verbatim::server
