// Sessions as JSON, for the API and the command line alike. Shapes: the interface, section 3.
#pragma once

#include <nlohmann/json_fwd.hpp>
#include <span>
#include <string>
#include <string_view>
#include <vector>

#include "storage/store/session_store.hpp"

namespace verbatim::api {

nlohmann::json to_json(const store::SessionSummary& session);

/// A page of a list or of a search. `fields`: the members that each session has; empty: all.
nlohmann::json to_json(const store::SessionPage& page, const std::vector<std::string>& fields);

/// The members of a session in a list.
std::span<const std::string_view> listed_members();

}  // namespace verbatim::api
