#include "base/assert.hpp"

#include <unistd.h>

#include <cstdio>
#include <cstdlib>

namespace verbatim {

void precondition_failed(const char* condition, const char* file, int line) noexcept {
  // No allocation: memory may be the reason. One write, so that lines of two threads do not mix.
  char text[512];
  const int length = std::snprintf(text, sizeof text, "%s:%d: precondition failed: %.380s\n", file,
                                   line, condition);
  if (length > 0) {
    const auto bytes = static_cast<std::size_t>(length);
    [[maybe_unused]] const auto written =
        ::write(STDERR_FILENO, text, bytes < sizeof text ? bytes : sizeof text - 1);
  }
  std::abort();
}

}  // namespace verbatim
