// Objects of a bucket: put and checked, fetched, and removed with all their versions and parts.
//
// Calls block; one thread. Errors are values.
#pragma once

#include <chrono>
#include <cstdint>
#include <functional>
#include <memory>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "config/settings.hpp"
#include "server/bucket/file_digest.hpp"
#include "server/bucket/s3_client.hpp"
#include "server/recording/disk_file.hpp"

namespace verbatim::bucket {

struct Failure {
  std::string why;
  std::optional<std::chrono::milliseconds> pause = std::nullopt;  ///< that the service asks for
  bool stopped = false;
  bool missing = false;    ///< there is no such object
  bool of_object = false;  ///< another object may succeed
};
/// nullopt: it succeeded.
using Outcome = std::optional<Failure>;

struct FileToPut {
  const recording::DiskFile& file;
  std::uint64_t bytes = 0;
  FileDigest digest = {};
};

class Objects {
 public:
  using Stopped = std::function<bool()>;
  struct Sizes {
    std::uint64_t single_bytes_max = 0;  ///< a larger file is sent in parts
    std::uint64_t part_bytes = 0;
  };
  Objects(S3Options options, Sizes sizes) : client_(std::move(options)), sizes_(sizes) {}

  /// Whether the service accepts the keys and has the bucket. Changes nothing: it lists uploads
  /// that did not end, as a removal does.
  Outcome look(const Stopped& stopped);
  /// Puts the file there, whole.
  /// `again`: an earlier try may have left parts.
  Outcome put(const std::string& key, const FileToPut& file, bool again, const Stopped& stopped);
  /// Whether the object is the file, by what the service says of it.
  Outcome check(const std::string& key, const FileToPut& file, const Stopped& stopped);
  /// `take`: gets the bytes in order; false: it cannot.
  Outcome get(const std::string& key, const std::function<bool(std::string_view)>& take,
              const Stopped& stopped);
  /// Removes the object, its versions, and parts of an upload that did not end. An object that is
  /// not there is no failure.
  Outcome remove(const std::string& key, std::uint64_t bytes, const Stopped& stopped);

 private:
  Outcome put_in_parts(const std::string& key, const FileToPut& file, const Stopped& stopped);
  Outcome put_parts(const std::string& key, const FileToPut& file, const std::string& upload,
                    const Stopped& stopped);
  Outcome abort_parts(const std::string& key, const Stopped& stopped);
  Outcome remove_versions(const std::string& key, const Stopped& stopped);
  bool in_parts(std::uint64_t bytes) const { return bytes > sizes_.single_bytes_max; }

  S3Client client_;
  const Sizes sizes_;
};

/// Of the bucket in the configuration; nullptr: none is configured. Throws std::runtime_error if
/// libcurl cannot be initialised.
std::unique_ptr<Objects> objects_of(const config::Bucket& settings);

}  // namespace verbatim::bucket
