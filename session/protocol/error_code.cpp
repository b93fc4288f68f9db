#include "session/protocol/error_code.hpp"

#include <algorithm>
#include <utility>

namespace verbatim::protocol {

std::string plain_code(std::initializer_list<json::View> candidates) {
  constexpr std::size_t length_max = 64;
  const char* without_code = "";
  for (const json::View& candidate : candidates) {
    auto text = candidate.string();
    if (candidate.is(json::Kind::number)) text = candidate.raw();
    if (!text || text->empty()) continue;
    const bool is_code =
        text->size() <= length_max && std::all_of(text->begin(), text->end(), [](char c) {
          return (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z') || (c >= '0' && c <= '9') ||
                 c == '_' || c == '-' || c == '.' || c == ':';
        });
    if (is_code) return std::move(*text);
    without_code = "other";
  }
  return without_code;
}

std::string reason_of(json::View response, json::View outside) {
  const json::View details = response["status_details"];
  const json::View inner = details["error"];
  const json::View beside = response["error"];
  return plain_code({details["reason"], response["incomplete_details"]["reason"], inner["code"],
                     inner["type"], inner, details["code"], details, beside["code"], beside["type"],
                     beside, outside["code"], outside["type"], outside});
}

}  // namespace verbatim::protocol
