// The wall clock, the monotonic clock and the text form of times.
//
// Functions that decide take the time as an argument; only the edges of the program read a clock.
// Any thread.
#pragma once

#include <cstdint>
#include <string>

namespace verbatim {

/// Milliseconds since the Unix epoch.
using TimeMs = std::int64_t;

/// Both clocks at one moment: `wall` for people (milliseconds since the Unix epoch), `mono_ms` for
/// deadlines (monotonic milliseconds).
struct Moment {
  TimeMs wall = 0;
  std::int64_t mono_ms = 0;
};

Moment now();
/// Microseconds of the monotonic clock.
std::int64_t monotonic_us();

/// ISO 8601 in UTC with milliseconds: 2026-11-23T21:50:51.123Z
std::string iso_time(TimeMs time);

}  // namespace verbatim
