// How names of members are compared where a reader may be lenient about letters, underscores and
// hyphens.
//
// Pure; any thread.
#pragma once

#include <string>
#include <string_view>

namespace verbatim {

/// As a lenient reader may compare names: in lower case, without _ and -. Dots stay.
std::string folded(std::string_view name);

/// Whether a name can be read in one way only, but for its letters: not empty, at most 64 ASCII
/// letters, digits, _ and -.
bool is_plain_name(std::string_view name);

/// Whether a reader that looks at ASCII letters and digits alone takes `name` for `wanted`: in
/// other letters, or with blanks, marks or anything that cannot be seen around or between them.
/// `wanted`: lower case.
bool reads_as(std::string_view name, std::string_view wanted);

}  // namespace verbatim
