// Text that only the holder of a key can read: what a client token stands for is kept so, and the
// token alone has the key. AES-256-GCM (NIST SP 800-38D) with a random nonce. Any thread.
#pragma once

#include <cstddef>
#include <optional>
#include <string>
#include <string_view>

namespace verbatim::server {

constexpr std::size_t sealing_key_bytes = 32;

/// `key`: sealing_key_bytes random bytes. `place`: where the result is kept; it cannot be opened
/// as that of another place. Printable text, which begins with storage::sealed_prefix. Throws
/// std::runtime_error if the library fails.
std::string seal(std::string_view key, std::string_view place, std::string_view text);

/// nullopt: it was sealed with another key or for another place, was changed, or was never sealed.
std::optional<std::string> unseal(std::string_view key, std::string_view place,
                                  std::string_view sealed);

}  // namespace verbatim::server
