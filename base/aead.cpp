#include "base/aead.hpp"

#include <openssl/evp.h>

#include <memory>
#include <utility>

namespace verbatim::aead {

namespace {

using Cipher = std::unique_ptr<EVP_CIPHER_CTX, decltype(&EVP_CIPHER_CTX_free)>;

enum class Mode : int { open = 0, seal = 1 };

const unsigned char* bytes_of(std::string_view text) {
  return reinterpret_cast<const unsigned char*>(text.data());
}

/// A cipher with key, nonce and place set; null if a size is wrong or the library fails.
Cipher begin(Mode mode, std::string_view key, std::string_view nonce, std::string_view place) {
  Cipher none(nullptr, &EVP_CIPHER_CTX_free);
  if (key.size() != key_bytes || nonce.size() != nonce_bytes) return none;
  Cipher cipher(EVP_CIPHER_CTX_new(), &EVP_CIPHER_CTX_free);
  int size = 0;
  const bool begun =
      cipher &&
      EVP_CipherInit_ex(cipher.get(), EVP_aes_256_gcm(), nullptr, bytes_of(key), bytes_of(nonce),
                        static_cast<int>(mode)) == 1 &&
      (place.empty() || EVP_CipherUpdate(cipher.get(), nullptr, &size, bytes_of(place),
                                         static_cast<int>(place.size())) == 1);
  return begun ? std::move(cipher) : std::move(none);
}

/// False if the library fails or the tag is wrong.
bool run(EVP_CIPHER_CTX* cipher, std::string_view from, std::string& into) {
  into.assign(from.size(), '\0');
  auto* const out = reinterpret_cast<unsigned char*>(into.data());
  int size = 0;
  int rest = 0;
  return EVP_CipherUpdate(cipher, out, &size, bytes_of(from), static_cast<int>(from.size())) == 1 &&
         EVP_CipherFinal_ex(cipher, out + size, &rest) == 1;
}

}  // namespace

std::optional<std::string> seal(std::string_view key, std::string_view nonce,
                                std::string_view place, std::string_view text) {
  const Cipher cipher = begin(Mode::seal, key, nonce, place);
  std::string hidden;
  std::string tag(tag_bytes, '\0');
  if (!cipher || !run(cipher.get(), text, hidden) ||
      EVP_CIPHER_CTX_ctrl(cipher.get(), EVP_CTRL_GCM_GET_TAG, tag_bytes, tag.data()) != 1)
    return std::nullopt;
  return hidden + tag;
}

std::optional<std::string> open(std::string_view key, std::string_view nonce,
                                std::string_view place, std::string_view sealed) {
  if (sealed.size() < tag_bytes) return std::nullopt;
  std::string tag(sealed.substr(sealed.size() - tag_bytes));
  sealed.remove_suffix(tag_bytes);
  const Cipher cipher = begin(Mode::open, key, nonce, place);
  std::string text;
  if (!cipher ||
      EVP_CIPHER_CTX_ctrl(cipher.get(), EVP_CTRL_GCM_SET_TAG, tag_bytes, tag.data()) != 1 ||
      !run(cipher.get(), sealed, text))
    return std::nullopt;
  return text;
}

}  // namespace verbatim::aead
