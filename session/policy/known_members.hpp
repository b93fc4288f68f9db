// Objects of which every member is known: a member that is misspelt would silently do nothing.
//
// Pure; any thread. Untrusted input.
#pragma once

#include <optional>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

#include "base/json/view.hpp"

namespace verbatim::server {

/// "is not known; the nearest known name is limits (known: user, limits)". `name` may be anything.
std::string not_known(std::string_view name, const std::vector<std::string_view>& known);

/// Whether a name can be a slip of the pen for another: two edits away, or in other letters.
bool is_misspelt(std::string_view name, std::string_view known);

/// For a field of the session that a policy names, such as audio.output.voise: the part that can
/// only be a slip of the pen, and what was meant. nullopt where all parts are known, or like none
/// that is: providers have fields of their own.
struct MisspeltField {
  std::string part;
  std::string meant;
};
std::optional<MisspeltField> misspelt_field(std::string_view path);

/// A name from outside for an error message: at most 64 bytes, anything but printable ASCII
/// replaced by '?'.
std::string shown_name(std::string_view name);

/// What is wrong with the members of an object that is to have none but the known ones, each once:
/// "'verbatim.limts' is not known; ...". nullopt if nothing is, or if it is no object. `place`:
/// what stands before the member's name, such as "verbatim."; may be empty. Escapes in names are
/// decoded.
std::optional<std::string> wrong_member(verbatim::json::View object, std::string_view place,
                                        const std::vector<std::string_view>& known);

/// The name of a member as it is meant: its escapes decoded.
std::string member_name(const verbatim::json::Members& member);

}  // namespace verbatim::server
