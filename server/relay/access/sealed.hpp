// Encryption of a client token's content: the store keeps it sealed, and only the token holds the
// key. AES-256-GCM (NIST SP 800-38D) with a random nonce. Any thread.
#pragma once

#include <cstddef>
#include <optional>
#include <string>
#include <string_view>

namespace verbatim::access {

constexpr std::size_t sealing_key_bytes = 32;

/// Encrypts `text` and returns printable text that begins with store::sealed_prefix. Throws
/// std::runtime_error if the library fails.
/// `key`: sealing_key_bytes random bytes.
/// `place`: where the result is stored; it cannot be opened for another place.
/// `text`: what to encrypt.
std::string seal(std::string_view key, std::string_view place, std::string_view text);

/// Decrypts. nullopt: sealed with another key or for another place, modified, or never sealed.
std::optional<std::string> unseal(std::string_view key, std::string_view place,
                                  std::string_view sealed);

}  // namespace verbatim::access
