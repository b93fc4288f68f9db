// Reads an archived track as the bytes of its raw file, from any place.
//
// Any thread, one at a time. Errors are values.
#pragma once

#include <cstdint>
#include <filesystem>
#include <memory>
#include <optional>
#include <string>
#include <tl/expected.hpp>

#include "server/recording/keys.hpp"
#include "server/recording/sealed_file.hpp"
#include "server/recording/track_files.hpp"
#include "server/relay/audio/decoder.hpp"

namespace verbatim::recording {

class TrackReader {
 public:
  /// The archive of the track. TroubleKind::none_there: it has none.
  static tl::expected<std::unique_ptr<TrackReader>, Trouble> open(
      const std::filesystem::path& directory, const Track& track, const MasterKeys& masters);
  /// A file of this form, also one that is not finished.
  static tl::expected<std::unique_ptr<TrackReader>, Trouble> open_file(
      const std::filesystem::path& path, Form form, const Track& track, const SessionKey* key);

  /// Bytes of the raw file.
  std::int64_t size() const { return size_; }
  /// The samples are not exactly those that were recorded.
  bool is_lossy() const { return content_ == Content::opus; }
  /// The byte after the last read. A read from there is the cheapest.
  std::int64_t position() const { return position_; }
  /// Fewer bytes at the end; nullopt: error() says why.
  std::optional<std::string> read(std::int64_t from, std::size_t count);
  std::string error() const;

 private:
  TrackReader(std::string name, std::unique_ptr<audio::ByteSource> source, Content content)
      : name_(std::move(name)), source_(std::move(source)), content_(content) {}
  bool begin();

  const std::string name_;
  const std::unique_ptr<audio::ByteSource> source_;
  const Content content_;
  std::unique_ptr<audio::Decoder> decoder_;  ///< null: the bytes are PCM
  std::int64_t size_ = 0;
  std::int64_t position_ = 0;
};

}  // namespace verbatim::recording
