// JSON that is built as a tree and written as text: our own events, and items as a provider would
// show them. What comes from outside is looked at with json_view.hpp instead.
#pragma once

#include <nlohmann/json.hpp>
#include <string>

namespace verbatim {

/// On one line. Bytes that are not UTF-8 become U+FFFD: a damaged text is still told.
inline std::string dump(const nlohmann::json& tree) {
  return tree.dump(-1, ' ', false, nlohmann::json::error_handler_t::replace);
}

/// What is not known is null in our events, never an empty text.
inline nlohmann::json or_null(const std::string& text) {
  return text.empty() ? nlohmann::json(nullptr) : nlohmann::json(text);
}

}  // namespace verbatim
