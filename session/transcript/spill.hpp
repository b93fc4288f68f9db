// Storage outside memory for the inactive parts of a long conversation, so that its memory does not
// grow with its length. It is not a store: the journal has the same data, and the spill is gone
// when the process ends.
//
// Owned by one session; on its thread.
#pragma once

#include <cstdint>
#include <optional>
#include <stdexcept>
#include <string>
#include <string_view>

namespace verbatim::transcript {

/// Data cannot be read back from the spill. The journal still has it.
class SpillError : public std::runtime_error {
 public:
  using std::runtime_error::runtime_error;
};

class Spill {
 public:
  using Offset = std::uint64_t;

  virtual ~Spill() = default;
  /// Writes the bytes and returns their place. nullopt: nothing is taken for now; keep the bytes in
  /// memory.
  virtual std::optional<Offset> put(std::string_view bytes) = 0;
  /// Reads what put() wrote. Throws SpillError.
  virtual std::string get(Offset place) const = 0;
};

}  // namespace verbatim::transcript
