// One request at a time to an OTLP collector, with libcurl: no redirects, no proxy, one deadline.
//
// Not the webhooks' call: that one refuses private addresses and throws the answer away. A
// collector usually has a private address, and its answer counts. Errors are values.
#pragma once

#include <atomic>
#include <chrono>
#include <cstdint>
#include <memory>
#include <optional>
#include <string>
#include <utility>
#include <vector>

namespace verbatim::traces {

using Headers = std::vector<std::pair<std::string, std::string>>;

/// The address of requests. `url`: as configured. OTLP's rule for a base address: /v1/traces is
/// appended, unless the path ends with it already.
std::string traces_url(std::string url);

class Collector {
 public:
  struct Options {
    std::string url;  ///< as configured
    Headers headers;
    std::string ca_file;  ///< empty: the system's authorities
    std::chrono::milliseconds timeout{};
  };
  /// Throws std::runtime_error if libcurl cannot be initialised.
  explicit Collector(const Options& options);
  ~Collector();

  struct Answer {
    int status = 0;  ///< 0: no answer
    std::optional<std::chrono::seconds> retry_after;
    std::string body;   ///< its first 64 KiB
    std::string error;  ///< why there was no answer; otherwise empty
  };
  /// Blocks until an answer, the timeout, or stop().
  Answer post(const std::string& body);

  /// Any thread. Requests end within `patience` from now on; only the first call counts.
  void stop(std::chrono::milliseconds patience);

 private:
  struct Impl;
  std::unique_ptr<Impl> impl_;
  std::atomic<std::int64_t> end_at_us_;
};

}  // namespace verbatim::traces
