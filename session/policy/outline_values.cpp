#include "session/policy/outline_values.hpp"

#include <algorithm>
#include <string>

#include "base/json/tree.hpp"

namespace verbatim::policy {
namespace {

using json::Kind;
using json::Outline;
using Index = Outline::Index;

bool equal_elements(const Outline& outline, Index value, const Json& tree) {
  std::size_t count = 0;
  for (Index i = Outline::first(value); i < outline.end(value); i = outline.end(i)) {
    if (count == tree.size() || !equal(outline, i, tree[count])) return false;
    ++count;
  }
  return count == tree.size();
}

bool equal_members(const Outline& outline, Index value, const Json& tree) {
  std::size_t count = 0;
  for (Index i = Outline::first(value); i < outline.end(value); i = outline.end(i)) {
    const Json* there = member_of(tree, outline.name(i));
    if (there == nullptr || !equal(outline, i, *there)) return false;
    ++count;
  }
  return count == tree.size();
}

}  // namespace

bool equal(const Outline& outline, Index value, const Json& tree) {
  switch (outline.kind(value)) {
    case Kind::array:
      return tree.is_array() && equal_elements(outline, value, tree);
    case Kind::object:
      return tree.is_object() && equal_members(outline, value, tree);
    case Kind::string:
      return tree.is_string() && outline.text(value) == tree.get_ref<const std::string&>();
    default:
      return !tree.is_structured() && Json::parse(outline.raw(value), nullptr, false) == tree;
  }
}

const Json* member_of(const Json& object, std::string_view name) {
  if (!object.is_object()) return nullptr;
  const auto found = object.find(name);
  return found == object.end() ? nullptr : &*found;
}

const Json* value_at(const Json& tree, std::string_view path) {
  const Json* place = &tree;
  while (!path.empty() && place != nullptr) {
    const std::string_view name = path.substr(0, path.find('.'));
    path.remove_prefix(std::min(path.size(), name.size() + 1));
    place = member_of(*place, name);
  }
  return place;
}

}  // namespace verbatim::policy
