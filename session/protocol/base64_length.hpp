// Length of the audio in a message, from the length of its Base64. Nothing is decoded.
//
// Pure; any thread.
#pragma once

#include <cstdint>
#include <string_view>

namespace verbatim::protocol {

/// Decoded length, from the length of the Base64 alone.
inline std::int64_t decoded_length(std::string_view base64) {
  auto length = static_cast<std::int64_t>(base64.size());
  while (length > 0 && base64[static_cast<std::size_t>(length) - 1] == '=') --length;
  return length * 3 / 4;
}

}  // namespace verbatim::protocol
