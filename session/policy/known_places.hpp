// What the provider's protocol, GA and beta, has where in a client's messages. Used where something
// is locked: there a name counts only in its own place.
//
// Constant tables; any thread.
#pragma once

#include <cstdint>
#include <span>
#include <string_view>

namespace verbatim::session {

enum class Holds : std::uint8_t {
  value,    ///< a text, a number, or a structure of which nothing more is known
  members,  ///< an object with the members that are named
  list,     ///< an array of such objects
  item,     ///< an object with the members of its type
  items,    ///< an array of such objects
  free,     ///< an object or text of the client's own choice, such as metadata
  frees,    ///< an array of such objects, such as tools with their schemas
};

struct KnownMember {
  std::string_view name;
  Holds holds = Holds::value;
  std::span<const KnownMember> inside = {};
};
using KnownMembers = std::span<const KnownMember>;

/// Null if there is none of exactly this name.
const KnownMember* find(KnownMembers members, std::string_view name);

/// The top level of a client event beside `type` and `event_id`. Null: the type is not of the
/// protocol.
const KnownMembers* members_of_event(std::string_view type);

/// Of an item of this type; empty: it says none, and is a message. Null if there is none.
const KnownMember* find_in_item(std::string_view type, std::string_view name);

/// Whether items of some type have it.
bool is_item_member(std::string_view name);

/// Whether an item, or a part of its content, may be of this type.
bool is_item_type(std::string_view type);
bool is_part_type(std::string_view type);
/// Whether a later protocol may have it: what a user or a model says may be of a kind that is not
/// known yet.
bool may_be_part_type(std::string_view type);

}  // namespace verbatim::session
