// Ids that Verbatim creates itself. The provider's ids are opaque strings and never parsed. Any
// thread.
#pragma once

#include <cstdint>
#include <string>
#include <string_view>

namespace verbatim {

/// The prefix and 26 characters that sort by creation time: 48 bits of milliseconds and 80 random
/// bits, in Crockford's base 32 (without I, L, O, U).
std::string make_sortable_id(std::string_view prefix, std::int64_t now_ms,
                             const unsigned char (&random)[10]);

/// The same with new random bits, for example `sess_01J...`. Throws std::runtime_error if the
/// system provides none.
std::string new_sortable_id(std::string_view prefix, std::int64_t now_ms);

/// A session id that a back end may choose: 1 to 128 of A-Z a-z 0-9 _ - . :
bool is_valid_session_id(std::string_view);

}  // namespace verbatim
