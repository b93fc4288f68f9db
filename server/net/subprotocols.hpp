// The WebSocket subprotocols that a client of this relay may offer.
#pragma once

#include <algorithm>
#include <string>
#include <string_view>
#include <vector>

#include "server/net/http_message.hpp"

namespace verbatim::net {

namespace subprotocols {
inline constexpr std::string_view realtime = "realtime";        ///< the provider's own
inline constexpr std::string_view verbatim_v1 = "verbatim.v1";  ///< the relay's events as well
}  // namespace subprotocols

/// Everything that Sec-WebSocket-Protocol offers.
inline std::vector<std::string> offered_subprotocols(const HttpRequest& request) {
  return split_list(request.header("Sec-WebSocket-Protocol"));
}

inline bool offers(const std::vector<std::string>& offered, std::string_view name) {
  return std::find(offered.begin(), offered.end(), name) != offered.end();
}

/// The one to select; empty: none of ours is offered.
inline std::string_view selected_subprotocol(const std::vector<std::string>& offered) {
  for (const std::string_view name : {subprotocols::realtime, subprotocols::verbatim_v1})
    if (offers(offered, name)) return name;
  return {};
}

}  // namespace verbatim::net
