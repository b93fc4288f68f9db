#include "session/policy/locked_words.hpp"

#include <algorithm>
#include <utility>

#include "base/json/plain_name.hpp"

namespace verbatim::policy {
namespace {

/// Objects of the protocol that can hold a locked field.
constexpr std::string_view envelopes[] = {"session", "response", "item",   "input",
                                          "role",    "content",  "message"};

/// Parts of paths that any object may have.
constexpr std::string_view of_anything[] = {"type", "id", "name", "object"};

/// Other names that servers use for a field, each with a text that the name begins with or
/// contains.
constexpr std::pair<std::string_view, std::string_view> other_names[] = {
    {"instructions", "instruct"},  {"instructions", "prompt"}, {"instructions", "system"},
    {"instructions", "developer"}, {"tools", "function"},      {"audio.output.voice", "speaker"},
    {"model", "deployment"},       {"model", "engine"},        {"max_output_tokens", "maxtokens"},
};

constexpr std::size_t stem_bytes_min = 4;

template <std::size_t N>
bool is_one_of(const std::string_view (&names)[N], std::string_view name) {
  return std::find(std::begin(names), std::end(names), name) != std::end(names);
}

/// The name without a plural s.
std::string_view singular(std::string_view fold) {
  if (fold.size() > stem_bytes_min && fold.ends_with('s')) fold.remove_suffix(1);
  return fold;
}

}  // namespace

LockedWords::LockedWords(const LockedFields& fields, protocol::KnownMembers session) {
  for (const LockedFields::Part& part : fields.parts()) {
    if (is_one_of(of_anything, part.name)) continue;
    whole_.insert(std::string(singular(part.name)));
    if (part.last) add_field(part.name);
  }
  if (fields.all()) {
    add_names(session);
    for (const protocol::KnownMember& member : session)
      if (!is_one_of(of_anything, member.name)) add_field(folded(member.name));
  }
  for (const auto& [field, name] : other_names)
    if (fields.touches(field)) add_field(std::string(name));
}

void LockedWords::add_names(protocol::KnownMembers members) {
  for (const protocol::KnownMember& member : members) {
    if (!is_one_of(of_anything, member.name))
      whole_.insert(std::string(singular(folded(member.name))));
    add_names(member.inside);
  }
}

void LockedWords::add_field(const std::string& fold) {
  const std::string stem(singular(fold));
  if (stem.size() < stem_bytes_min) return;
  auto& stems = stems_by_letter_[static_cast<unsigned char>(stem.front())];
  if (std::find(stems.begin(), stems.end(), stem) == stems.end()) stems.push_back(stem);
}

bool LockedWords::contains_field(std::string_view fold) const {
  for (; !fold.empty(); fold.remove_prefix(1))
    for (const std::string& stem : stems_by_letter_[static_cast<unsigned char>(fold.front())])
      if (fold.starts_with(stem)) return true;
  return false;
}

LockedWords::Meaning LockedWords::meaning(std::string_view fold) const {
  if (contains_field(fold)) return Meaning::field;
  const std::string_view one = singular(fold);
  if (is_one_of(envelopes, one)) return Meaning::envelope;
  return whole_.contains(std::string(one)) ? Meaning::field : Meaning::none;
}

}  // namespace verbatim::policy
