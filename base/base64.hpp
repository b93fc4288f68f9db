// Base64 (RFC 4648, section 4, with padding). Pure; any thread. Throws only if memory runs out.
#pragma once

#include <string>
#include <string_view>

namespace verbatim {

/// Appends the encoded bytes to `out`.
void encode_base64(std::string_view bytes, std::string& out);

/// Appends the decoded bytes to `out`. False if `text` is not Base64 in whole groups of four; `out`
/// then holds the bytes decoded before the error.
bool decode_base64(std::string_view text, std::string& out);

}  // namespace verbatim
