// One webhook call with libcurl: https to a public address, no proxy, no redirects, one deadline.
//
// An object keeps its connection. One thread; stop it through `stopping`. Errors are values.
#pragma once

#include <sys/socket.h>

#include <atomic>
#include <chrono>
#include <memory>
#include <string>
#include <utility>
#include <vector>

namespace verbatim::webhooks {

/// Whether the address is not public: this machine, private and link-local networks, carrier-grade
/// NAT, multicast, and such IPv4 addresses embedded in IPv6.
bool is_private_address(const sockaddr* address);

class WebhookCall {
 public:
  /// `url`: the target.
  /// `allow_private`: also call private addresses, and by http.
  /// `timeout`: for the whole call.
  /// `stopping`: any thread sets it to abort the call; must outlive the object.
  WebhookCall(std::string url, bool allow_private, std::chrono::milliseconds timeout,
              const std::atomic<bool>& stopping);
  ~WebhookCall();

  struct Answer {
    int status = 0;     ///< 0: no answer
    std::string error;  ///< why there was no answer; otherwise empty
  };
  /// Sends `body` and blocks until an answer, the deadline, or `stopping`.
  Answer post(const std::string& body,
              const std::vector<std::pair<std::string, std::string>>& headers);

 private:
  struct Impl;
  std::unique_ptr<Impl> impl_;
};

}  // namespace verbatim::webhooks
