#include "base/clock.hpp"

#include <algorithm>
#include <chrono>
#include <cstdio>

namespace verbatim {

Moment now() {
  Moment moment;
  moment.wall = std::chrono::duration_cast<std::chrono::milliseconds>(
                    std::chrono::system_clock::now().time_since_epoch())
                    .count();
  moment.mono_ms = std::chrono::duration_cast<std::chrono::milliseconds>(
                       std::chrono::steady_clock::now().time_since_epoch())
                       .count();
  return moment;
}

std::int64_t monotonic_us() {
  return std::chrono::duration_cast<std::chrono::microseconds>(
             std::chrono::steady_clock::now().time_since_epoch())
      .count();
}

std::string iso_time(TimeMs time) {
  using namespace std::chrono;
  // ISO 8601 has four digits for the year: clamp times from recordings and rows to that range.
  constexpr TimeMs first = -62'167'219'200'000;  // 0000-01-01
  constexpr TimeMs last = 253'402'300'799'999;   // 9999-12-31
  const sys_time<milliseconds> at{milliseconds(std::clamp(time, first, last))};
  const auto day = floor<days>(at);
  const year_month_day date(day);
  const hh_mm_ss clock(at - day);
  char out[64];
  std::snprintf(
      out, sizeof out, "%04d-%02u-%02uT%02d:%02d:%02d.%03dZ", static_cast<int>(date.year()),
      static_cast<unsigned>(date.month()), static_cast<unsigned>(date.day()),
      static_cast<int>(clock.hours().count()), static_cast<int>(clock.minutes().count()),
      static_cast<int>(clock.seconds().count()), static_cast<int>(clock.subseconds().count()));
  return out;
}

}  // namespace verbatim
