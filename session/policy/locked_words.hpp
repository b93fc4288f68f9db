// Names that may not stand in a client's message where the protocol does not have them, since a
// lenient reader could take them for what is locked: the parts of locked fields, what gateways call
// the same things, and the protocol's own envelopes.
//
// Immutable; any thread. One look takes as long as the name, whatever is locked.
#pragma once

#include <array>
#include <cstdint>
#include <string>
#include <string_view>
#include <unordered_set>
#include <vector>

#include "session/policy/known_places.hpp"
#include "session/policy/locked_fields.hpp"

namespace verbatim::session {

class LockedWords {
 public:
  LockedWords() = default;
  explicit LockedWords(const LockedFields& fields);

  enum class Meaning : std::uint8_t {
    none,
    envelope,  ///< where a reader may look for a change, or for who speaks
    field,     ///< of what is locked
  };
  /// `fold`: a name as folded() makes it. One that contains a field's counts as that field's.
  Meaning meaning(std::string_view fold) const;

 private:
  void add_names(KnownMembers members);
  void add_field(const std::string& fold);
  bool contains_field(std::string_view fold) const;

  std::unordered_set<std::string> whole_;                      ///< that must be equal
  std::array<std::vector<std::string>, 256> stems_by_letter_;  ///< that may stand within a name
};

}  // namespace verbatim::session
