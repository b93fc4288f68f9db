// The sessions that the database of a fleet has, which all nodes share.
#pragma once

#include "server/api/api_parts.hpp"

namespace verbatim::relay {
class FleetNodes;
}  // namespace verbatim::relay

namespace verbatim::api {

/// The stores have the sessions of all nodes, as far as these have shipped them.
struct SharedStore {
  ApiStores stores;
  relay::FleetNodes& nodes;
};

}  // namespace verbatim::api
