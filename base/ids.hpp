// Identifiers that Verbatim makes itself. The provider's ids are opaque strings and never parsed.
#pragma once

#include <cstdint>
#include <string>
#include <string_view>

namespace verbatim {

/// Prefix and 26 characters that sort by creation time: 48 bits of milliseconds, 80 random bits,
/// in Crockford's base 32 (no I, L, O, U). `random` must hold 10 bytes.
std::string make_sortable_id(std::string_view prefix, std::int64_t now_ms,
                             const unsigned char (&random)[10]);

/// What a back end may choose as a session id: 1 to 128 of A-Z a-z 0-9 _ - . :
bool is_valid_session_id(std::string_view);

}  // namespace verbatim
