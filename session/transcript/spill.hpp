// Where a long conversation lays down what nothing has happened to for a while, so that its memory
// does not grow with its length. Not a store: what is in it is in the journal as well, and is gone
// with the process.
//
// One conversation's; on its thread.
#pragma once

#include <cstdint>
#include <optional>
#include <stdexcept>
#include <string>
#include <string_view>

namespace verbatim::session {

/// What was put can not be had back. The journal still has it.
class SpillError : public std::runtime_error {
 public:
  using std::runtime_error::runtime_error;
};

class Spill {
 public:
  using Offset = std::uint64_t;

  virtual ~Spill() = default;
  /// nullopt: it takes nothing for now, and the bytes stay where they are.
  virtual std::optional<Offset> put(std::string_view bytes) = 0;
  /// Throws SpillError.
  virtual std::string get(Offset place) const = 0;
};

}  // namespace verbatim::session
