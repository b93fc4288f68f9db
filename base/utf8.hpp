// UTF-8 checks and steps for JSON strings and transcript text. Pure; any thread.
#pragma once

#include <cstddef>
#include <cstdint>
#include <string>
#include <string_view>

namespace verbatim::utf8 {

/// Length of the valid sequence at the front of `bytes` (1 to 4; no overlong forms, no surrogates,
/// nothing above U+10FFFF); 0 if there is none.
std::size_t sequence_length(std::string_view bytes);

/// Number of bytes at the front that a JSON string may hold without further checks: ASCII other
/// than '"', '\\' and control characters.
std::size_t plain_prefix(std::string_view bytes);

/// Number of bytes at the front that a JSON string may hold without an escape, if they are UTF-8:
/// all but '"', '\\' and control characters.
std::size_t unescaped_prefix(std::string_view bytes);

/// Several bytes at once, with the processor's widest registers (simdjson).
bool is_valid(std::string_view bytes);

/// Whether the bytes are UTF-8 in which a lone surrogate half may stand as three bytes (WTF-8).
bool is_wtf8(std::string_view bytes);

/// The bytes with each one that belongs to no valid sequence replaced by U+FFFD.
std::string replaced(std::string_view bytes);

/// Appends a code point; a surrogate half becomes three bytes (WTF-8).
void append(std::string& out, std::uint32_t code);

}  // namespace verbatim::utf8
