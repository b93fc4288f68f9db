// Digests of a file, read once. Any thread.
#pragma once

#include <cstdint>
#include <functional>
#include <memory>
#include <optional>
#include <string>
#include <string_view>

#include "server/recording/disk_file.hpp"

namespace verbatim::bucket {

/// SHA-256 of bytes that come in pieces.
class Sha256 {
 public:
  Sha256();
  ~Sha256();
  void add(std::string_view bytes);
  /// In hexadecimal. Nothing follows.
  std::string finish();

 private:
  struct State;
  std::unique_ptr<State> state_;
};

struct FileDigest {
  std::string sha256;  ///< in hexadecimal
  std::string md5;     ///< the same; empty: this system forbids MD5
};
/// nullopt: the file is shorter than that, cannot be read, or it was stopped.
std::optional<FileDigest> digest_of(const recording::DiskFile& file, std::uint64_t from,
                                    std::uint64_t bytes, const std::function<bool()>& stopped);

}  // namespace verbatim::bucket
