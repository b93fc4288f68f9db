// Names as one text, for a message. Pure; any thread.
#pragma once

#include <string>
#include <string_view>

namespace verbatim {

/// "a, b, c"
template <class Names>
std::string comma_list(const Names& names) {
  std::string text;
  for (const std::string_view one : names) text.append(text.empty() ? "" : ", ").append(one);
  return text;
}

}  // namespace verbatim
