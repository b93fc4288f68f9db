// Base 64 of audio. Pure; any thread. Never throws.
#pragma once

#include <string>
#include <string_view>

namespace verbatim {

/// Appends to `out`.
void encode_base64(std::string_view bytes, std::string& out);

/// Appends to `out`. False if `text` is not base 64 in whole groups of four; `out` then holds what
/// came before.
bool decode_base64(std::string_view text, std::string& out);

}  // namespace verbatim
