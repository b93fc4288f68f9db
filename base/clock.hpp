// The two clocks, and times as people read them.
//
// Time is an argument wherever something is decided: only the edges of the program read a clock.
// Any thread.
#pragma once

#include <cstdint>
#include <string>

namespace verbatim {

/// Milliseconds since the Unix epoch.
using TimeMs = std::int64_t;

/// Both clocks: one for what people read, one for deadlines (it never jumps).
struct Moment {
  TimeMs wall = 0;
  std::int64_t mono_ms = 0;
};

Moment now();
/// Microseconds of the clock that never jumps.
std::int64_t monotonic_us();

/// 2026-11-23T21:50:51.123Z
std::string iso_time(TimeMs time);

}  // namespace verbatim
