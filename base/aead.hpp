// Authenticated encryption: AES-256-GCM (NIST SP 800-38D), based on OpenSSL's libcrypto. Any
// thread.
#pragma once

#include <cstddef>
#include <optional>
#include <string>
#include <string_view>

namespace verbatim::aead {

inline constexpr std::size_t key_bytes = 32;
inline constexpr std::size_t nonce_bytes = 12;
inline constexpr std::size_t tag_bytes = 16;

/// Encrypts `text`; the tag follows it. nullopt: a size is wrong, or the library fails.
/// `key`: key_bytes random bytes.
/// `nonce`: nonce_bytes that were never used with this key before.
/// `place`: where the result belongs; it cannot be opened for another place.
std::optional<std::string> seal(std::string_view key, std::string_view nonce,
                                std::string_view place, std::string_view text);

/// Decrypts what seal() gave. nullopt: another key, nonce or place, or a changed byte.
std::optional<std::string> open(std::string_view key, std::string_view nonce,
                                std::string_view place, std::string_view sealed);

}  // namespace verbatim::aead
