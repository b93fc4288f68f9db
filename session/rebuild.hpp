// The result of giving a conversation to a new upstream connection (P8). Plain values; any thread.
#pragma once

#include <cstddef>
#include <string>
#include <vector>

namespace verbatim::session {

/// Items that an upstream connection accepted, and items that it lacks.
struct Rebuild {
  struct Missing {
    std::string item_id;
    std::string why;  ///< the relay's own word, or the provider's error code
    friend bool operator==(const Missing&, const Missing&) = default;
  };
  std::size_t given = 0;          ///< items that the provider accepted
  std::vector<Missing> left_out;  ///< items that the relay did not give
  std::vector<Missing> refused;   ///< items that the provider refused

  bool whole() const { return left_out.empty() && refused.empty(); }
};

}  // namespace verbatim::session
