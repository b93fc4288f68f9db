#include "session/plain_code.hpp"

#include <algorithm>

namespace verbatim::session {

std::string plain_code(std::initializer_list<json::View> candidates) {
  constexpr std::size_t length_max = 64;
  for (const json::View& candidate : candidates) {
    auto text = candidate.string();
    if (candidate.is(json::Kind::number)) text = candidate.raw();
    if (!text || text->empty()) continue;
    const bool is_code =
        text->size() <= length_max && std::all_of(text->begin(), text->end(), [](char c) {
          return (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z') || (c >= '0' && c <= '9') ||
                 c == '_' || c == '-' || c == '.' || c == ':';
        });
    return is_code ? std::move(*text) : "other";
  }
  return {};
}

}  // namespace verbatim::session
