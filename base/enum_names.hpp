// Names of enum values, looked up in both directions. Pure; any thread.
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

/// The name of a value; "unknown" if the list lacks it (a number written by a newer version).
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
