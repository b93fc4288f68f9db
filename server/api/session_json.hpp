// Sessions as JSON, for the API and the command line alike. Shapes: the interface, section 3.
#pragma once

#include <nlohmann/json_fwd.hpp>

#include "storage/store/session_store.hpp"

namespace verbatim::api {

nlohmann::json to_json(const store::SessionSummary& session);

}  // namespace verbatim::api
