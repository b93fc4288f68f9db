// Bytes that a decoder reads in any order: a file, or the plain text of an encrypted one.
//
// Any thread, one at a time. Errors are values.
#pragma once

#include <cstddef>
#include <cstdint>
#include <string>

namespace verbatim::audio {

class ByteSource {
 public:
  virtual ~ByteSource() = default;
  virtual std::uint64_t size() const = 0;
  /// Bytes from `offset` on, fewer at the end. -1: they cannot be read, and error() says why.
  virtual std::int64_t read(std::uint64_t offset, char* into, std::size_t count) = 0;
  /// Of the last read; empty: it was good.
  virtual std::string error() const = 0;
};

}  // namespace verbatim::audio
