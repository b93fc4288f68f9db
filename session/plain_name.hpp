// How names of members are compared where something is locked: a reader behind us may be lenient
// about letters, underscores and hyphens.
//
// Pure; any thread.
#pragma once

#include <string>
#include <string_view>

namespace verbatim::session {

/// As a lenient reader may compare names: in lower case, without _ and -. Dots stay.
std::string folded(std::string_view name);

/// Whether a name can be read in one way only, but for its letters: not empty, at most 64 ASCII
/// letters, digits, _ and -.
bool is_plain_name(std::string_view name);

}  // namespace verbatim::session
