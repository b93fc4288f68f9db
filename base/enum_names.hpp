// Closed lists of values and their names, read in both directions. Pure.
#pragma once

#include <cstddef>
#include <optional>
#include <string_view>

namespace verbatim {

template <class Value>
struct Name {
  Value value;
  std::string_view name;
};

/// "unknown" for a value that is not in the list (a number from a newer store).
template <class Value, std::size_t N>
std::string_view name_of(Value value, const Name<Value> (&names)[N]) {
  for (const auto& entry : names)
    if (entry.value == value) return entry.name;
  return "unknown";
}

template <class Value, std::size_t N>
std::optional<Value> value_of(std::string_view name, const Name<Value> (&names)[N]) {
  for (const auto& entry : names)
    if (entry.name == name) return entry.value;
  return std::nullopt;
}

}  // namespace verbatim
