// Levenshtein distance of two names. Pure; any thread.
#pragma once

#include <cstddef>
#include <string_view>

namespace verbatim {

/// The fewest insertions, deletions and substitutions of bytes that turn one into the other. Time
/// grows with the product of the lengths: limit the length of untrusted names.
std::size_t edit_distance(std::string_view a, std::string_view b);

}  // namespace verbatim
