#include "server/bucket/file_digest.hpp"

#include <openssl/evp.h>

#include <algorithm>

#include "base/crypto.hpp"

namespace verbatim::bucket {

namespace {

constexpr std::size_t piece_bytes = 256 * 1024;

struct FreeContext {
  void operator()(EVP_MD_CTX* context) const { EVP_MD_CTX_free(context); }
};
using Context = std::unique_ptr<EVP_MD_CTX, FreeContext>;

/// Null: this system forbids the digest.
Context begin(const EVP_MD* kind) {
  Context context(EVP_MD_CTX_new());
  if (!context || EVP_DigestInit_ex(context.get(), kind, nullptr) != 1) return nullptr;
  return context;
}

void add_to(const Context& context, std::string_view bytes) {
  if (context) EVP_DigestUpdate(context.get(), bytes.data(), bytes.size());
}

std::string finish_hex(const Context& context) {
  if (!context) return {};
  unsigned char digest[EVP_MAX_MD_SIZE];
  unsigned int size = 0;
  if (EVP_DigestFinal_ex(context.get(), digest, &size) != 1) return {};
  return to_hex({reinterpret_cast<const char*>(digest), size});
}

}  // namespace

struct Sha256::State {
  Context context = begin(EVP_sha256());
};

Sha256::Sha256() : state_(std::make_unique<State>()) {}
Sha256::~Sha256() = default;
void Sha256::add(std::string_view bytes) { add_to(state_->context, bytes); }
std::string Sha256::finish() { return finish_hex(state_->context); }

std::optional<FileDigest> digest_of(const recording::DiskFile& file, std::uint64_t from,
                                    std::uint64_t bytes, const std::function<bool()>& stopped) {
  const Context sha = begin(EVP_sha256());
  const Context md5 = begin(EVP_md5());
  std::string piece(piece_bytes, '\0');
  for (std::uint64_t at = 0; at < bytes;) {
    if (stopped()) return std::nullopt;
    const auto wanted = static_cast<std::size_t>(std::min<std::uint64_t>(piece_bytes, bytes - at));
    const std::int64_t got = file.read(from + at, piece.data(), wanted);
    if (got < static_cast<std::int64_t>(wanted)) return std::nullopt;
    add_to(sha, {piece.data(), wanted});
    add_to(md5, {piece.data(), wanted});
    at += wanted;
  }
  return FileDigest{finish_hex(sha), finish_hex(md5)};
}

}  // namespace verbatim::bucket
