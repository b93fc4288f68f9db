#include "config/otlp_headers.hpp"

#include <algorithm>

#include "base/url.hpp"
#include "config/values.hpp"

namespace verbatim::config {

namespace {

/// RFC 9110: the characters of a token.
bool is_header_name(std::string_view name) {
  constexpr std::string_view marks = "!#$%&'*+-.^_`|~";
  return !name.empty() && std::all_of(name.begin(), name.end(), [&](char c) {
    return (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z') || (c >= '0' && c <= '9') ||
           marks.find(c) != marks.npos;
  });
}

}  // namespace

std::vector<std::pair<std::string, std::string>> parse_otlp_headers(std::string_view text) {
  std::vector<std::pair<std::string, std::string>> headers;
  while (!text.empty()) {
    const std::string_view one = text.substr(0, text.find(','));
    text.remove_prefix(std::min(text.size(), one.size() + 1));
    const std::size_t equals = one.find('=');
    if (equals == one.npos || !is_header_name(one.substr(0, equals)))
      throw BadValue("is not a list of headers: write name=value,name=value");
    auto value = percent_decoded(one.substr(equals + 1), /*plus_is_space=*/false);
    if (!value || value->empty())
      throw BadValue("has a header whose value is empty or has a % that begins no %XX");
    require_plain_text(*value);
    headers.emplace_back(one.substr(0, equals), *std::move(value));
  }
  return headers;
}

}  // namespace verbatim::config
