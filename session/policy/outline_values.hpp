// Compares a value that a client wrote with a JSON tree.
//
// Pure; any thread. Time grows with the value that the client wrote.
#pragma once

#include <nlohmann/json_fwd.hpp>
#include <string_view>

#include "base/json/outline.hpp"

namespace verbatim::policy {

/// Compares values, not notation: 1e2 equals 100, and the order of members does not matter.
bool equal(const json::Outline& outline, json::Outline::Index value, const nlohmann::json& tree);

/// Null if there is no such member, or `object` is not an object.
const nlohmann::json* member_of(const nlohmann::json& object, std::string_view name);
/// `path`: names with dots between them; an empty path returns the whole tree. Null if there is
/// none.
const nlohmann::json* value_at(const nlohmann::json& tree, std::string_view path);

}  // namespace verbatim::policy
