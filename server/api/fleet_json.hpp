// The nodes of a fleet as JSON, for GET /v1/fleet and `verbatim fleet status`.
//
// Pure; any thread.
#pragma once

#include "base/json/tree_fwd.hpp"
#include "server/relay/fleet_nodes.hpp"

namespace verbatim::api {

/// `own`: the incarnation of the node that answers; 0: none.
Json to_json(const relay::Fleet& fleet, std::int64_t own);

/// One word for an operator: alive, silent (its lease is over), left, fenced, forgotten.
const char* state_of(const relay::FleetNode& node);

}  // namespace verbatim::api
