// Calls of one webhook target with libcurl, several at once: https to a public address, no proxy,
// no redirects, one deadline for each call.
//
// Connections are kept for later calls. One thread, except wake(). Errors are values.
#pragma once

#include <chrono>
#include <cstddef>
#include <cstdint>
#include <memory>
#include <string>
#include <utility>
#include <vector>

namespace verbatim::webhooks {

struct CallOptions {
  std::string url;
  bool allow_private = false;           ///< also call private addresses, and by http
  std::chrono::milliseconds timeout{};  ///< for a whole call
  std::size_t answer_bytes_kept = 0;    ///< of the answer's body
};

struct CallAnswer {
  int status = 0;           ///< 0: no answer
  std::string error;        ///< why there was no answer; otherwise empty
  std::string retry_after;  ///< these header fields, as they came
  std::string date;
  std::string body;  ///< its beginning; any bytes
  std::chrono::milliseconds took{};
};

class WebhookCalls {
 public:
  using Headers = std::vector<std::pair<std::string, std::string>>;

  /// Throws std::runtime_error if libcurl cannot be initialised.
  explicit WebhookCalls(CallOptions options);
  /// Aborts the calls in progress.
  ~WebhookCalls();

  /// Begins to send `body`. `id` names the call in its answer.
  void start(std::int64_t id, std::string body, const Headers& headers);
  /// Sends and receives until a call ends, wake() is called, or `at_most` is over. Returns the
  /// calls that ended.
  std::vector<std::pair<std::int64_t, CallAnswer>> wait(std::chrono::milliseconds at_most);
  /// Any thread: ends a wait(), or the next one.
  void wake();

 private:
  struct Call;
  struct Impl;
  std::unique_ptr<Impl> impl_;
};

}  // namespace verbatim::webhooks
