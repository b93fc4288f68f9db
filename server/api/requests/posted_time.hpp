// Reads a time that a writer posted, in the formats of Python, JavaScript and RFC 3339.
//
// Pure; any thread.
#pragma once

#include <optional>
#include <string_view>

#include "base/clock.hpp"

namespace verbatim::requests {

/// The latest time that RFC 3339 can write, since its years have four digits.
inline constexpr TimeMs posted_time_max = 253'402'300'799'999;

/// RFC 3339 with a fraction and any offset (none means UTC, a blank may stand for the T), or a
/// number as below. nullopt: it is none of these, or outside of the years 1970 to 9999.
std::optional<TimeMs> read_posted_time(std::string_view text);
/// Unix seconds, milliseconds, microseconds or nanoseconds: their sizes do not overlap.
std::optional<TimeMs> read_posted_time(double number);

}  // namespace verbatim::requests
