// Base64 (RFC 4648): the usual alphabet with padding (section 4), and the one for URLs without
// padding (section 5). Pure; any thread. Throws only if memory runs out.
#pragma once

#include <optional>
#include <string>
#include <string_view>

namespace verbatim {

/// Appends the encoded bytes to `out`.
void encode_base64(std::string_view bytes, std::string& out);
std::string base64(std::string_view bytes);

/// Appends the decoded bytes to `out`. False if `text` is not Base64 in whole groups of four; `out`
/// then holds the bytes decoded before the error.
bool decode_base64(std::string_view text, std::string& out);

/// With '-' and '_', without padding.
std::string base64url(std::string_view bytes);
/// nullopt for any text that base64url() does not write: each byte string has exactly one encoding.
std::optional<std::string> from_base64url(std::string_view text);

}  // namespace verbatim
