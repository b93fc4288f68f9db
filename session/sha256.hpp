// SHA-256 (FIPS 180-4), for what a transcript's receipt says. Its own, so that this folder needs no
// library for it; nothing secret goes through it. Pure; any thread.
#pragma once

#include <string>
#include <string_view>

namespace verbatim::session {

/// Of all of `bytes`, as 64 lower-case hex digits.
std::string sha256_hex(std::string_view bytes);

}  // namespace verbatim::session
