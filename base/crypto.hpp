// Digests, random bytes and ids, based on OpenSSL's libcrypto. Any thread.
#pragma once

#include <cstdint>
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

/// An id such as `sess_...`, sortable by time; see base/ids.hpp.
std::string new_id(std::string_view prefix, std::int64_t now_ms);

}  // namespace verbatim
