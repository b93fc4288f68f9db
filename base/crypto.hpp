// The few things that the rest of this folder needs of OpenSSL's libcrypto. Any thread.
#pragma once

#include <cstdint>
#include <optional>
#include <string>
#include <string_view>

namespace verbatim {

/// Cryptographically strong. Throws std::runtime_error if the system has no randomness to give.
std::string random_bytes(std::size_t count);

std::string sha1(std::string_view data);    ///< 20 raw bytes; not for secrets
std::string sha256(std::string_view data);  ///< 32 raw bytes
std::string hmac_sha256(std::string_view key, std::string_view data);
std::string to_hex(std::string_view data);
std::string base64(std::string_view data);
std::string base64url(std::string_view data);  ///< without padding
std::optional<std::string> from_base64url(std::string_view text);

/// Takes the same time wherever the two differ.
bool equal_secrets(std::string_view a, std::string_view b);

/// `sess_` and the like: sortable by time, see base/ids.hpp.
std::string new_id(std::string_view prefix, std::int64_t now_ms);

}  // namespace verbatim
