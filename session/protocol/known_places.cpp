#include "session/protocol/known_places.hpp"

#include <algorithm>

namespace verbatim::protocol {
namespace {

const KnownMembers* find_type(std::span<const KnownType> types, std::string_view type) {
  const auto found = std::find_if(types.begin(), types.end(),
                                  [type](const KnownType& one) { return one.type == type; });
  return found == types.end() ? nullptr : &found->members;
}

}  // namespace

const KnownMember* find(KnownMembers members, std::string_view name) {
  const auto found = std::find_if(members.begin(), members.end(),
                                  [name](const KnownMember& one) { return one.name == name; });
  return found == members.end() ? nullptr : &*found;
}

const KnownMembers* KnownPlaces::members_of_event(std::string_view type) const {
  return find_type(events, type);
}

const KnownMember* KnownPlaces::find_in_item(std::string_view type, std::string_view name) const {
  const KnownMembers* own = find_type(items, type.empty() ? items.front().type : type);
  const KnownMember* found = own == nullptr ? nullptr : find(*own, name);
  return found != nullptr ? found : find(every_item, name);
}

bool KnownPlaces::is_item_member(std::string_view name) const {
  return std::any_of(items.begin(), items.end(), [this, name](const KnownType& one) {
    return find_in_item(one.type, name) != nullptr;
  });
}

bool KnownPlaces::is_item_type(std::string_view type) const {
  return find_type(items, type) != nullptr;
}

bool KnownPlaces::is_part_type(std::string_view type) const {
  return std::find(part_types.begin(), part_types.end(), type) != part_types.end();
}

}  // namespace verbatim::protocol
