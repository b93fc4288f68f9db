// The members that a provider's protocol has at each place of a client message. Locks use it: with
// a lock, a name is accepted only in its own place.
//
// Views of a dialect's constant tables; any thread.
#pragma once

#include <cstdint>
#include <span>
#include <string_view>

namespace verbatim::protocol {

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

struct KnownType {
  std::string_view type;
  KnownMembers members;
};

struct KnownPlaces {
  /// Client events with their top-level members, besides `type` and `event_id`.
  std::span<const KnownType> events;
  KnownMembers session;              ///< of a session object
  std::span<const KnownType> items;  ///< types of items; the first is the one without a type
  KnownMembers every_item;           ///< members of items of every type
  std::span<const std::string_view> part_types;
  /// True if a later protocol may have this part type: new kinds of user or model content may be
  /// added.
  bool (*may_be_part_type)(std::string_view type);

  /// Null: the protocol has no such type.
  const KnownMembers* members_of_event(std::string_view type) const;
  /// The member `name` of an item of this type; null if there is none.
  const KnownMember* find_in_item(std::string_view type, std::string_view name) const;
  /// True if some type of item has this member.
  bool is_item_member(std::string_view name) const;
  /// True if an item, or a part of its content, may have this type.
  bool is_item_type(std::string_view type) const;
  bool is_part_type(std::string_view type) const;
};

}  // namespace verbatim::protocol
