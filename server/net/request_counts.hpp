// Counts answered requests by route and status. Routes are the patterns of a table, never paths: a
// peer cannot make another series. Any thread, no locks.
#pragma once

#include <array>
#include <atomic>
#include <cstddef>
#include <cstdint>
#include <string>
#include <string_view>
#include <vector>

namespace verbatim::net {

class RequestCounts {
 public:
  static constexpr std::string_view other = "other";

  /// `routes`: the patterns. They must outlive this object.
  explicit RequestCounts(const std::vector<std::string_view>& routes);

  /// Counts an answer. A route that the constructor was not given is counted as `other`.
  void answered(std::string_view route, int status);

  /// Calls `visit(route, status, count)` for each pair that was counted. `status` is a text.
  template <class Visit>
  void visit(Visit visit) const {
    for (const Route& route : routes_)
      for (std::size_t at = 0; at < route.counts.size(); ++at)
        if (const std::uint64_t count = route.counts[at].load(std::memory_order_relaxed))
          visit(route.pattern, status_name(at), count);
  }

 private:
  static constexpr std::array<int, 32> statuses = {
      101, 200, 201, 202, 204, 206, 304, 400, 401, 403, 404, 405, 406, 408, 409, 410,
      411, 412, 413, 414, 415, 416, 417, 422, 426, 429, 431, 500, 501, 502, 503, 505};
  struct Route {
    std::string_view pattern;
    std::array<std::atomic<std::uint64_t>, statuses.size() + 1> counts{};  ///< last: other
  };

  static std::string status_name(std::size_t at) {
    return at < statuses.size() ? std::to_string(statuses[at]) : std::string(other);
  }

  std::vector<Route> routes_;  ///< the last is `other`
};

}  // namespace verbatim::net
