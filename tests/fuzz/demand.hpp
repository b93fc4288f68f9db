// Ends a target with a message when a property does not hold.
#pragma once

#include <cstdlib>

inline void demand(bool promise) {
  if (!promise) std::abort();
}
