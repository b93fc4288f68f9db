// The lines of a text, with "\n" or "\r\n" at their ends. Pure; any thread.
#pragma once

#include <algorithm>
#include <string_view>
#include <vector>

namespace verbatim {

/// Views of the text. A line break at its end begins no further line.
inline std::vector<std::string_view> lines_of(std::string_view text) {
  std::vector<std::string_view> lines;
  while (!text.empty()) {
    std::string_view line = text.substr(0, text.find('\n'));
    text.remove_prefix(std::min(text.size(), line.size() + 1));
    if (line.ends_with('\r')) line.remove_suffix(1);
    lines.push_back(line);
  }
  return lines;
}

}  // namespace verbatim
