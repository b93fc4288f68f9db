// What every target here ends with when a promise is broken.
#pragma once

#include <cstdlib>

inline void demand(bool promise) {
  if (!promise) std::abort();
}
