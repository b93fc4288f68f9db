// Signed calls of an S3-compatible service with libcurl (SigV4), one at a time. The connection is
// kept for the next call.
//
// A call blocks; one thread. Errors are values.
#pragma once

#include <chrono>
#include <cstdint>
#include <filesystem>
#include <functional>
#include <memory>
#include <optional>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

#include "base/secret.hpp"
#include "server/bucket/s3_answer.hpp"
#include "server/recording/disk_file.hpp"

namespace verbatim::bucket {

struct S3Options {
  std::string endpoint;  ///< empty: that of AWS in the region
  std::string bucket;
  std::string region;
  bool path_style = true;
  Secret access_key;
  Secret secret_key;
  std::filesystem::path ca_file;
  bool allow_private = false;           ///< also call private addresses, and by http
  std::chrono::milliseconds timeout{};  ///< without a byte
};

/// Bytes of a file that are sent.
struct FilePart {
  const recording::DiskFile* file = nullptr;
  std::uint64_t from = 0;
  std::uint64_t bytes = 0;
  std::string sha256;  ///< in hexadecimal
};

struct S3Request {
  const char* method = "GET";
  std::string key = {};    ///< empty: the bucket itself
  std::string query = {};  ///< escaped, its parameters in the order of the alphabet, each with '='
  std::vector<std::pair<std::string, std::string>> headers = {};
  std::string body = {};
  std::optional<FilePart> part = std::nullopt;  ///< in place of a body
  /// Takes the body of a success; false: the call ends. Empty: the answer has it.
  std::function<bool(std::string_view)> take = {};
};

class S3Client {
 public:
  /// Throws std::runtime_error if libcurl cannot be initialised.
  explicit S3Client(S3Options options);
  ~S3Client();

  /// `stopped` is asked about once a second; true: the call is broken off.
  S3Answer call(const S3Request& request, const std::function<bool()>& stopped);

 private:
  struct Call;
  struct Handle;
  const S3Options options_;
  std::unique_ptr<Handle> handle_;
};

}  // namespace verbatim::bucket
