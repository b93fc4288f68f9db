#include "server/net/request_counts.hpp"

#include <algorithm>

namespace verbatim::net {

RequestCounts::RequestCounts(const std::vector<std::string_view>& routes)
    : routes_(routes.size() + 1) {
  for (std::size_t at = 0; at < routes.size(); ++at) routes_[at].pattern = routes[at];
  routes_.back().pattern = other;
}

void RequestCounts::answered(std::string_view route, int status) {
  const auto found = std::find_if(routes_.begin(), routes_.end() - 1,
                                  [route](const Route& one) { return one.pattern == route; });
  const auto* const at = std::lower_bound(statuses.begin(), statuses.end(), status);
  const bool known = at != statuses.end() && *at == status;
  const auto index = known ? static_cast<std::size_t>(at - statuses.begin()) : statuses.size();
  found->counts[index].fetch_add(1, std::memory_order_relaxed);
}

}  // namespace verbatim::net
