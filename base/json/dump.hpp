// Writes a JSON tree as text: the relay's own events, and items in the provider's shape. Read JSON
// from outside with json/view.hpp instead. Pure; any thread.
#pragma once

#include <concepts>
#include <string>

#include "base/json/tree.hpp"

namespace verbatim {

/// One line of JSON. Bytes that are not UTF-8 become U+FFFD, so damaged text is still shown.
inline std::string dump(const Json& tree) {
  return tree.dump(-1, ' ', false, Json::error_handler_t::replace);
}

/// The same for a tree that keeps the order of its members.
template <class Tree>
requires std::same_as<Tree, OrderedJson> std::string dump(const Tree& tree) {
  return tree.dump(-1, ' ', false, Tree::error_handler_t::replace);
}

/// An unknown text is null in the relay's events, never empty.
inline Json or_null(const std::string& text) { return text.empty() ? Json(nullptr) : Json(text); }

}  // namespace verbatim
