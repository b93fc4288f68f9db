// Digests and random bytes, based on OpenSSL's libcrypto. Any thread.
#pragma once

#include <string>
#include <string_view>

namespace verbatim {

/// `count` cryptographically strong bytes. Throws std::runtime_error if the system provides none.
std::string random_bytes(std::size_t count);

std::string sha1(std::string_view data);    ///< 20 raw bytes; not for secrets
std::string sha256(std::string_view data);  ///< 32 raw bytes
std::string hmac_sha256(std::string_view key, std::string_view data);
std::string to_hex(std::string_view data);

/// Constant-time comparison: the duration does not depend on where the two differ.
bool equal_secrets(std::string_view a, std::string_view b);

}  // namespace verbatim
