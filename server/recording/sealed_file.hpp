// An encrypted file: a head with the wrapped key of the file, then blocks of 64 KiB. Each block is
// encrypted and authenticated by itself (AES-256-GCM), so that any part can be read alone.
//
// The nonce of a block is its number, with a mark on the last one. Each file has its own random key
// and is written once, so no nonce is used twice. A changed byte, blocks in another order, a cut
// file and a file in another's place are noticed. FORMAT: docs/recording.md.
//
// Any thread, one at a time. Errors are values.
#pragma once

#include <cstdint>
#include <memory>
#include <string>
#include <string_view>
#include <tl/expected.hpp>

#include "server/recording/disk_file.hpp"
#include "server/recording/keys.hpp"
#include "server/recording/trouble.hpp"
#include "server/relay/audio/byte_source.hpp"

namespace verbatim::recording {

inline constexpr std::size_t sealed_block_bytes = 64 * 1024;
inline constexpr std::size_t sealed_head_bytes = 84;

/// The form of the encrypted bytes. The numbers are stored; never renumber.
enum class Content : std::uint8_t { pcm = 1, flac = 2, opus = 3 };

class SealedWriter {
 public:
  /// `place`: the file can be opened for no other place.
  SealedWriter(DiskFile& file, const SessionKey& key, Content content, std::string place);

  /// False: the disk takes it not, and errno says why. Nothing follows.
  bool append(std::string_view bytes);
  /// Writes the last block.
  bool finish();

 private:
  bool write_block(bool last);

  DiskFile& file_;
  std::string key_;
  std::string head_;  ///< until it is written
  std::string block_;
  std::uint64_t number_ = 0;
};

class SealedReader final : public audio::ByteSource {
 public:
  /// `name`: of the file, for messages.
  static tl::expected<std::unique_ptr<SealedReader>, Trouble> open(DiskFile file,
                                                                   const std::string& name,
                                                                   const SessionKey& key,
                                                                   const std::string& place);
  Content content() const { return content_; }
  std::uint64_t size() const override { return size_; }
  std::int64_t read(std::uint64_t offset, char* into, std::size_t count) override;
  std::string error() const override { return error_; }

 private:
  SealedReader(DiskFile file, std::string name) : file_(std::move(file)), name_(std::move(name)) {}
  bool load(std::uint64_t number);

  DiskFile file_;
  const std::string name_;
  std::string key_;
  Content content_ = Content::pcm;
  std::uint64_t size_ = 0;
  std::uint64_t blocks_ = 0;
  std::uint64_t loaded_ = ~std::uint64_t{0};  ///< number of the block in memory
  std::string block_;
  std::string error_;
};

}  // namespace verbatim::recording
