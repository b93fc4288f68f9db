#include "server/traces/span.hpp"

namespace verbatim::traces {

std::string plain(std::string_view from_outside) {
  constexpr std::size_t length_max = 128;
  constexpr std::string_view marks = "_-.:/@+";
  const bool is_plain = from_outside.size() <= length_max &&
                        std::all_of(from_outside.begin(), from_outside.end(), [&](char c) {
                          return (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z') ||
                                 (c >= '0' && c <= '9') || marks.find(c) != marks.npos;
                        });
  return is_plain ? std::string(from_outside) : std::string();
}

}  // namespace verbatim::traces
