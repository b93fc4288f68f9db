// What another connection to the provider was given of a conversation (P8).
#pragma once

#include <cstddef>
#include <string>
#include <vector>

namespace verbatim::session {

/// What a connection was given of a conversation, and what it has not of it.
struct Rebuild {
  struct Missing {
    std::string item_id;
    std::string why;  ///< a word of ours, or the provider's error code
    friend bool operator==(const Missing&, const Missing&) = default;
  };
  std::size_t given = 0;          ///< items that it took
  std::vector<Missing> left_out;  ///< it was not given
  std::vector<Missing> refused;   ///< it did not take

  bool whole() const { return left_out.empty() && refused.empty(); }
};

}  // namespace verbatim::session
