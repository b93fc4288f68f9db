#include "server/net/tls_record_buffers.hpp"

#include <malloc.h>
#include <openssl/crypto.h>

#include <array>
#include <cstddef>
#include <cstdlib>

namespace verbatim::net {
namespace {

/// Size of a record and of the one buffer size, with OpenSSL's overhead.
constexpr std::size_t record_bytes_min = 16 * 1024;
constexpr std::size_t record_buffer_bytes = 18 * 1024;
/// For reading and writing on both upstream connections, with some to spare.
constexpr std::size_t buffers_kept_max = 8;

class KeptBuffers {
 public:
  ~KeptBuffers() {
    while (void* const block = take()) std::free(block);
    open_ = false;  // OpenSSL's own thread-local objects may be destroyed after this one
  }
  void* take() { return count_ > 0 ? blocks_[--count_] : nullptr; }
  bool give(void* block) {
    if (!open_ || count_ == buffers_kept_max) return false;
    blocks_[count_++] = block;
    return true;
  }

 private:
  std::array<void*, buffers_kept_max> blocks_{};
  std::size_t count_ = 0;
  bool open_ = true;
};

thread_local KeptBuffers kept_buffers;

bool is_record(std::size_t size) { return size >= record_bytes_min && size <= record_buffer_bytes; }

void* openssl_malloc(std::size_t size, const char*, int) {
  if (!is_record(size)) return std::malloc(size);
  void* const block = kept_buffers.take();
  return block != nullptr ? block : std::malloc(record_buffer_bytes);
}

void* openssl_realloc(void* block, std::size_t size, const char*, int) {
  return std::realloc(block, is_record(size) ? record_buffer_bytes : size);
}

void openssl_free(void* block, const char*, int) {
  if (block == nullptr) return;
  // The allocator's size decides: any block of that size is large enough.
  const std::size_t size = ::malloc_usable_size(block);
  if (size < record_buffer_bytes || size > record_buffer_bytes + 64 || !kept_buffers.give(block))
    std::free(block);
}

}  // namespace

void recycle_record_buffers() {
  CRYPTO_set_mem_functions(&openssl_malloc, &openssl_realloc, &openssl_free);
}

}  // namespace verbatim::net
