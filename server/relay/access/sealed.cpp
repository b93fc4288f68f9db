#include "server/relay/access/sealed.hpp"

#include <openssl/evp.h>

#include <memory>
#include <stdexcept>

#include "base/base64.hpp"
#include "base/crypto.hpp"
#include "storage/store/token_store.hpp"

namespace verbatim::access {

namespace {

constexpr std::size_t nonce_bytes = 12;
constexpr std::size_t tag_bytes = 16;

using Cipher = std::unique_ptr<EVP_CIPHER_CTX, decltype(&EVP_CIPHER_CTX_free)>;

enum class CipherMode : int { open = 0, seal = 1 };

const unsigned char* bytes_of(std::string_view text) {
  return reinterpret_cast<const unsigned char*>(text.data());
}

/// A cipher with key, nonce and place set; null if the library fails.
Cipher begin(CipherMode mode, std::string_view key, std::string_view nonce,
             std::string_view place) {
  Cipher cipher(EVP_CIPHER_CTX_new(), &EVP_CIPHER_CTX_free);
  int size = 0;
  const bool begun = cipher &&
                     EVP_CipherInit_ex(cipher.get(), EVP_aes_256_gcm(), nullptr, bytes_of(key),
                                       bytes_of(nonce), static_cast<int>(mode)) == 1 &&
                     EVP_CipherUpdate(cipher.get(), nullptr, &size, bytes_of(place),
                                      static_cast<int>(place.size())) == 1;
  return begun ? std::move(cipher) : Cipher(nullptr, &EVP_CIPHER_CTX_free);
}

/// Returns false if the library fails or the tag is wrong.
bool run(EVP_CIPHER_CTX* cipher, std::string_view from, std::string& into) {
  into.assign(from.size(), '\0');
  auto* const out = reinterpret_cast<unsigned char*>(into.data());
  int size = 0;
  int rest = 0;
  return EVP_CipherUpdate(cipher, out, &size, bytes_of(from), static_cast<int>(from.size())) == 1 &&
         EVP_CipherFinal_ex(cipher, out + size, &rest) == 1;
}

}  // namespace

std::string seal(std::string_view key, std::string_view place, std::string_view text) {
  const std::string nonce = random_bytes(nonce_bytes);
  const Cipher cipher = key.size() == sealing_key_bytes ? begin(CipherMode::seal, key, nonce, place)
                                                        : Cipher(nullptr, &EVP_CIPHER_CTX_free);
  std::string hidden;
  std::string tag(tag_bytes, '\0');
  if (!cipher || !run(cipher.get(), text, hidden) ||
      EVP_CIPHER_CTX_ctrl(cipher.get(), EVP_CTRL_GCM_GET_TAG, tag_bytes, tag.data()) != 1)
    throw std::runtime_error("a text could not be sealed");
  return std::string(store::sealed_prefix) + base64url(nonce + hidden + tag);
}

std::optional<std::string> unseal(std::string_view key, std::string_view place,
                                  std::string_view sealed) {
  if (key.size() != sealing_key_bytes || !sealed.starts_with(store::sealed_prefix))
    return std::nullopt;
  sealed.remove_prefix(store::sealed_prefix.size());
  const auto bytes = from_base64url(sealed);
  if (!bytes || bytes->size() < nonce_bytes + tag_bytes) return std::nullopt;
  const std::string_view all = *bytes;
  std::string tag(all.substr(all.size() - tag_bytes));
  const std::string_view hidden = all.substr(nonce_bytes, all.size() - nonce_bytes - tag_bytes);
  const Cipher cipher = begin(CipherMode::open, key, all.substr(0, nonce_bytes), place);
  std::string text;
  if (!cipher ||
      EVP_CIPHER_CTX_ctrl(cipher.get(), EVP_CTRL_GCM_SET_TAG, tag_bytes, tag.data()) != 1 ||
      !run(cipher.get(), hidden, text))
    return std::nullopt;
  return text;
}

}  // namespace verbatim::access
