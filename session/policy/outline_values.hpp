// Whether a value that a client wrote is one that we have as a tree.
//
// Pure; any thread. Time grows with the value that the client wrote.
#pragma once

#include <nlohmann/json_fwd.hpp>
#include <string_view>

#include "base/json/outline.hpp"

namespace verbatim::session {

/// Whatever its notation is: 1e2 equals 100, and members have no order.
bool equal(const json::Outline& outline, json::Outline::Index value, const nlohmann::json& tree);

/// Null if there is none, or no object to have it.
const nlohmann::json* member_of(const nlohmann::json& object, std::string_view name);
/// By names with dots between them; the whole for an empty path.
const nlohmann::json* value_at(const nlohmann::json& tree, std::string_view path);

}  // namespace verbatim::session
