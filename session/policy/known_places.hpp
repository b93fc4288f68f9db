// The members that the provider's protocol, GA and beta, has at each place of a client message.
// Locks use it: with a lock, a name is accepted only in its own place.
//
// Constant tables; any thread.
#pragma once

#include <cstdint>
#include <span>
#include <string_view>

namespace verbatim::session {

enum class Holds : std::uint8_t {
  value,    ///< a text, a number, or a structure with no known parts
  members,  ///< an object with the listed members
  list,     ///< an array of such objects
  item,     ///< an object with the members of its type
  items,    ///< an array of such objects
  free,     ///< an object or text of the client's choice, such as metadata
  frees,    ///< an array of such objects, such as tools with their schemas
};

struct KnownMember {
  std::string_view name;
  Holds holds = Holds::value;
  std::span<const KnownMember> inside = {};
};
using KnownMembers = std::span<const KnownMember>;

/// The member of exactly this name; null if there is none.
const KnownMember* find(KnownMembers members, std::string_view name);

/// Top-level members of a client event, besides `type` and `event_id`. Null: the protocol has no
/// such type.
const KnownMembers* members_of_event(std::string_view type);

/// The member `name` of an item of this type; null if there is none. An empty type means a message.
const KnownMember* find_in_item(std::string_view type, std::string_view name);

/// True if some type of item has this member.
bool is_item_member(std::string_view name);

/// True if an item, or a part of its content, may have this type.
bool is_item_type(std::string_view type);
bool is_part_type(std::string_view type);
/// True if a later protocol may have this part type: new kinds of user or model content may be
/// added.
bool may_be_part_type(std::string_view type);

}  // namespace verbatim::session
