// Objects whose members are all known. A misspelt member would have no effect, so it is reported.
//
// Pure; any thread. Untrusted input.
#pragma once

#include <optional>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

#include "base/json/view.hpp"

namespace verbatim::policy {

/// "is not known; the nearest known name is limits (known: user, limits)". `name` may be anything.
std::string not_known(std::string_view name, const std::vector<std::string_view>& known);

/// True if `name` may be a typing error for `known`: at most two edits away, or different case.
bool is_misspelt(std::string_view name, std::string_view known);

/// For a session field that a policy names, such as audio.output.voise: the misspelt part and the
/// name it is meant to be. nullopt if all parts are known, or if an unknown part is like no known
/// one: providers have fields of their own.
struct MisspeltField {
  std::string part;
  std::string meant;
};
std::optional<MisspeltField> misspelt_field(std::string_view path);

/// A name from outside for an error message: at most 64 bytes, all but printable ASCII replaced by
/// '?'.
std::string shown_name(std::string_view name);

/// The first error in an object that may only have known members, each once: "'verbatim.limts' is
/// not known; ...". nullopt if there is no error or `object` is not an object.
/// - `place`: the text before the member's name, such as "verbatim."; may be empty.
/// - `known`: the allowed names. Escapes in the object's names are decoded.
std::optional<std::string> wrong_member(verbatim::json::View object, std::string_view place,
                                        const std::vector<std::string_view>& known);

/// The member's name with its escapes decoded.
std::string member_name(const verbatim::json::Members& member);

}  // namespace verbatim::policy
