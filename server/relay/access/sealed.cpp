#include "server/relay/access/sealed.hpp"

#include <stdexcept>

#include "base/aead.hpp"
#include "base/base64.hpp"
#include "base/crypto.hpp"
#include "storage/store/token_store.hpp"

namespace verbatim::access {

std::string seal(std::string_view key, std::string_view place, std::string_view text) {
  const std::string nonce = random_bytes(aead::nonce_bytes);
  const auto hidden = aead::seal(key, nonce, place, text);
  if (!hidden) throw std::runtime_error("a text could not be sealed");
  return std::string(store::sealed_prefix) + base64url(nonce + *hidden);
}

std::optional<std::string> unseal(std::string_view key, std::string_view place,
                                  std::string_view sealed) {
  if (!sealed.starts_with(store::sealed_prefix)) return std::nullopt;
  sealed.remove_prefix(store::sealed_prefix.size());
  const auto bytes = from_base64url(sealed);
  if (!bytes || bytes->size() < aead::nonce_bytes + aead::tag_bytes) return std::nullopt;
  const std::string_view all = *bytes;
  return aead::open(key, all.substr(0, aead::nonce_bytes), place, all.substr(aead::nonce_bytes));
}

}  // namespace verbatim::access
