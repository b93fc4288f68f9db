// Compares a value that a client wrote with a JSON tree.
//
// Pure; any thread. Time grows with the value that the client wrote.
#pragma once

#include <string_view>

#include "base/json/outline.hpp"
#include "base/json/tree_fwd.hpp"

namespace verbatim::policy {

/// Compares values, not notation: 1e2 equals 100, and the order of members does not matter.
bool equal(const json::Outline& outline, json::Outline::Index value, const Json& tree);

/// Null if there is no such member, or `object` is not an object.
const Json* member_of(const Json& object, std::string_view name);
/// `path`: names with dots between them; an empty path returns the whole tree. Null if there is
/// none.
const Json* value_at(const Json& tree, std::string_view path);

}  // namespace verbatim::policy
