// One call of a webhook by libcurl: https to a public address, no proxy, no redirect, one deadline.
//
// An object keeps its connection; it is used by one thread.
#pragma once

#include <sys/socket.h>

#include <atomic>
#include <chrono>
#include <memory>
#include <string>
#include <utility>
#include <vector>

namespace verbatim::server {

/// What a connection to it could reach that nobody outside can: this machine, private and
/// link-local networks, carriers' NAT, multicast, and IPv4 in IPv6's clothes.
bool is_private_address(const sockaddr* address);

class WebhookCall {
 public:
  WebhookCall(std::string url, bool allow_private, std::chrono::milliseconds timeout,
              const std::atomic<bool>& stopping);
  ~WebhookCall();

  struct Answer {
    int status = 0;     ///< 0: there was none
    std::string error;  ///< what happened then; empty otherwise
  };
  /// Blocks until there is an answer, the deadline, or `stopping`.
  Answer post(const std::string& body,
              const std::vector<std::pair<std::string, std::string>>& headers);

 private:
  struct Impl;
  std::unique_ptr<Impl> impl_;
};

}  // namespace verbatim::server
