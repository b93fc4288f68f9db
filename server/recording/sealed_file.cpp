#include "server/recording/sealed_file.hpp"

#include <algorithm>
#include <cerrno>
#include <cstring>
#include <utility>

#include "base/aead.hpp"
#include "base/crypto.hpp"

namespace verbatim::recording {

namespace {

constexpr std::string_view magic = "VRBTMREC";
constexpr char version = 1;
constexpr std::size_t version_at = 8;
constexpr std::size_t content_at = 9;
constexpr std::size_t block_bytes_at = 12;
constexpr std::size_t key_id_at = 16;
constexpr std::size_t nonce_at = 24;
constexpr std::size_t wrapped_at = nonce_at + aead::nonce_bytes;
constexpr std::size_t stored_block_bytes = sealed_block_bytes + aead::tag_bytes;
static_assert(wrapped_at + aead::key_bytes + aead::tag_bytes == sealed_head_bytes);
static_assert(key_id_at + key_id_bytes == nonce_at);

void put_number(std::string& out, std::uint64_t value, int bytes) {
  for (int i = 0; i < bytes; ++i) out.push_back(static_cast<char>(value >> (8 * i)));
}

std::string nonce_of(std::uint64_t block, bool last) {
  std::string nonce;
  put_number(nonce, last ? 1 : 0, 4);
  put_number(nonce, block, 8);
  return nonce;
}

/// The head's first fields are bound to the file's key, and so is the file's place.
std::string bound_to(std::string_view head, const std::string& place) {
  return std::string(head.substr(0, nonce_at)) + place;
}

}  // namespace

SealedWriter::SealedWriter(DiskFile& file, const SessionKey& key, Content content,
                           std::string place)
    : file_(file), key_(random_bytes(aead::key_bytes)) {
  head_ = magic;
  head_.push_back(version);
  head_.push_back(static_cast<char>(content));
  put_number(head_, 0, 2);
  put_number(head_, sealed_block_bytes, 4);
  head_ += key.id;
  const std::string nonce = random_bytes(aead::nonce_bytes);
  const auto wrapped = aead::seal(key.bytes, nonce, bound_to(head_, place), key_);
  if (!wrapped) key_.clear();  // then no block can be sealed
  head_ += nonce + wrapped.value_or("");
}

bool SealedWriter::append(std::string_view bytes) {
  while (!bytes.empty()) {
    // A full block is written once more follows: it may be the last one.
    if (block_.size() == sealed_block_bytes && !write_block(false)) return false;
    const std::string_view some = bytes.substr(0, sealed_block_bytes - block_.size());
    block_ += some;
    bytes.remove_prefix(some.size());
  }
  return true;
}

bool SealedWriter::finish() { return write_block(true); }

bool SealedWriter::write_block(bool last) {
  const auto sealed = aead::seal(key_, nonce_of(number_, last), "", block_);
  if (!sealed) {
    errno = EIO;
    return false;
  }
  ++number_;
  block_.clear();
  return file_.append(std::exchange(head_, std::string()) + *sealed);
}

tl::expected<std::unique_ptr<SealedReader>, Trouble> SealedReader::open(DiskFile file,
                                                                        const std::string& name,
                                                                        const SessionKey& key,
                                                                        const std::string& place) {
  std::unique_ptr<SealedReader> made(new SealedReader(std::move(file), name));
  const auto damaged = [&](const std::string& what) {
    return tl::unexpected(Trouble{TroubleKind::damaged, name + " " + what});
  };
  std::string head(sealed_head_bytes, '\0');
  const std::int64_t all = made->file_.size();
  const std::int64_t got = made->file_.read(0, head.data(), head.size());
  if (all < 0 || got < 0) return tl::unexpected(system_trouble(name));
  const auto bytes = static_cast<std::uint64_t>(all);
  if (bytes < sealed_head_bytes + aead::tag_bytes || !head.starts_with(magic))
    return damaged("is not an encrypted recording, or was cut");
  if (head[version_at] != version) return damaged("was written by a newer version of this program");
  std::string block_bytes;
  put_number(block_bytes, sealed_block_bytes, 4);
  if (head.compare(block_bytes_at, block_bytes.size(), block_bytes) != 0)
    return damaged("has blocks of another size");
  if (head.compare(key_id_at, key_id_bytes, key.id) != 0)
    return damaged("was encrypted with another key than session.key");
  auto file_key = aead::open(key.bytes, std::string_view(head).substr(nonce_at, aead::nonce_bytes),
                             bound_to(head, place), std::string_view(head).substr(wrapped_at));
  const auto content = static_cast<std::uint8_t>(head[content_at]);
  if (!file_key || content < static_cast<std::uint8_t>(Content::pcm) ||
      content > static_cast<std::uint8_t>(Content::opus))
    return damaged("has a changed head, or is the file of another track");
  made->key_ = *std::move(file_key);
  made->content_ = static_cast<Content>(content);
  const std::uint64_t stored = bytes - sealed_head_bytes;
  made->blocks_ = (stored + stored_block_bytes - 1) / stored_block_bytes;
  if (stored < made->blocks_ * aead::tag_bytes) return damaged("was cut");
  made->size_ = stored - made->blocks_ * aead::tag_bytes;
  // The last block has a mark: without it the file was cut.
  if (!made->load(made->blocks_ - 1))
    return tl::unexpected(Trouble{TroubleKind::damaged, made->error_});
  return made;
}

bool SealedReader::load(std::uint64_t number) {
  if (number == loaded_) return true;
  std::string stored(stored_block_bytes, '\0');
  const std::int64_t got =
      file_.read(sealed_head_bytes + number * stored_block_bytes, stored.data(), stored.size());
  if (got < 0) {
    error_ = system_trouble(name_).why;
    return false;
  }
  stored.resize(static_cast<std::size_t>(got));
  auto plain = aead::open(key_, nonce_of(number, number + 1 == blocks_), "", stored);
  if (!plain) {
    error_ = name_ + ": block " + std::to_string(number) + " was changed or cut";
    return false;
  }
  block_ = *std::move(plain);
  loaded_ = number;
  return true;
}

std::int64_t SealedReader::read(std::uint64_t offset, char* into, std::size_t count) {
  error_.clear();
  std::size_t have = 0;
  while (have < count && offset + have < size_) {
    const std::uint64_t at = offset + have;
    if (!load(at / sealed_block_bytes)) return -1;
    const auto from = static_cast<std::size_t>(at % sealed_block_bytes);
    if (from >= block_.size()) break;
    const std::size_t some = std::min(count - have, block_.size() - from);
    std::memcpy(into + have, block_.data() + from, some);
    have += some;
  }
  return static_cast<std::int64_t>(have);
}

}  // namespace verbatim::recording
