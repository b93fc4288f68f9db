// Compares member names as a lenient reader may: without regard to case, underscores and hyphens.
//
// Pure; any thread.
#pragma once

#include <string>
#include <string_view>

namespace verbatim {

/// The name in lower case, without _ and -. Dots stay.
std::string folded(std::string_view name);

/// True if the name can be read in only one way, apart from case: 1 to 64 ASCII letters, digits, _
/// and -.
bool is_plain_name(std::string_view name);

/// True if a reader that looks only at ASCII letters and digits reads `name` as `wanted`. Case,
/// blanks, marks and invisible characters around or between them make no difference. `wanted`:
/// lower case.
bool reads_as(std::string_view name, std::string_view wanted);

}  // namespace verbatim
