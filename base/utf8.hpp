// UTF-8 in the small: what JSON strings and transcript text need of it. Pure; any thread.
#pragma once

#include <cstddef>
#include <cstdint>
#include <string>
#include <string_view>

namespace verbatim::utf8 {

/// Length of the valid sequence that `bytes` begin with (1 to 4; no overlong forms, no
/// surrogates, nothing above U+10FFFF); 0 if they begin with none.
std::size_t sequence_length(std::string_view bytes);

/// How many bytes at the front are ASCII other than '"', '\\' and control characters: what needs
/// no look of its own inside a JSON string.
std::size_t plain_prefix(std::string_view bytes);

bool is_valid(std::string_view bytes);

/// The same bytes with U+FFFD for each that belongs to no valid sequence.
std::string replaced(std::string_view bytes);

/// Appends a code point; a surrogate half as its three generalised bytes (WTF-8).
void append(std::string& out, std::uint32_t code);

}  // namespace verbatim::utf8
