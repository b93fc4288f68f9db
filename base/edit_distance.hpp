// How unlike two names are. Pure; any thread.
#pragma once

#include <cstddef>
#include <string_view>

namespace verbatim {

/// The fewest insertions, deletions and substitutions of bytes that make one of the other. Takes
/// time in proportion to the product of the lengths: bound what comes from outside.
std::size_t edit_distance(std::string_view a, std::string_view b);

}  // namespace verbatim
