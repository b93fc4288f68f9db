// Names that a client message may use only where the protocol has them: the parts of locked fields,
// other servers' names for these, and the protocol's envelopes. Elsewhere a lenient reader could
// take such a name for a locked field.
//
// Immutable; any thread. One look-up takes time in proportion to the name, and does not depend on
// the locks.
#pragma once

#include <array>
#include <cstdint>
#include <string>
#include <string_view>
#include <unordered_set>
#include <vector>

#include "session/policy/locked_fields.hpp"
#include "session/protocol/known_places.hpp"

namespace verbatim::policy {

class LockedWords {
 public:
  LockedWords() = default;
  /// `session`: the members of a session object.
  LockedWords(const LockedFields& fields, protocol::KnownMembers session);

  enum class Meaning : std::uint8_t {
    none,
    envelope,  ///< a reader may look in it for a change, or for a role
    field,     ///< a locked field
  };
  /// `fold`: a name from folded(). A name that contains a locked field's name counts as that field.
  Meaning meaning(std::string_view fold) const;

 private:
  void add_names(protocol::KnownMembers members);
  void add_field(const std::string& fold);
  bool contains_field(std::string_view fold) const;

  std::unordered_set<std::string> whole_;  ///< names that must match whole
  /// names that match anywhere in a name, by first letter
  std::array<std::vector<std::string>, 256> stems_by_letter_;
};

}  // namespace verbatim::policy
