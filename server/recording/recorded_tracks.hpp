// Reads recorded tracks, raw or archived. A few archives stay open between two reads, so that a
// reader that goes on need not decode from the beginning; their number bounds the memory.
//
// Any thread.
#pragma once

#include <chrono>
#include <cstdint>
#include <filesystem>
#include <list>
#include <memory>
#include <mutex>
#include <optional>
#include <string>
#include <tl/expected.hpp>

#include "server/recording/keys.hpp"
#include "server/recording/track_files.hpp"
#include "server/recording/track_reader.hpp"
#include "server/recording/trouble.hpp"

namespace verbatim::recording {

class RecordedTracks {
 public:
  /// Each has a decoder and two blocks, about 0.3 MB.
  static constexpr std::size_t kept_open_max = 16;

  RecordedTracks(std::filesystem::path directory, MasterKeys masters)
      : directory_(std::move(directory)), masters_(std::move(masters)) {}

  struct Size {
    std::int64_t bytes = 0;  ///< of the raw file; 0: nothing was recorded
    bool lossy = false;      ///< the archive has other samples
  };
  tl::expected<Size, Trouble> measure(const Track& track) const;
  /// Bytes of the raw file, fewer at its end.
  tl::expected<std::string, Trouble> read(const Track& track, std::int64_t from, std::size_t count);
  /// Whether there is a file of the track.
  bool exists(const Track& track) const;
  /// Bytes of the raw file; nullopt: there is none.
  std::optional<std::int64_t> raw_bytes(const Track& track) const;

  /// Closes files that were last read so long ago. Another process may have removed them: the disk
  /// has their bytes until they are closed.
  void close_idle(std::chrono::milliseconds idle);
  /// Closes the session's files. Reads that have begun close theirs when they end.
  void forget(const std::string& session_id);

  const std::filesystem::path& directory() const { return directory_; }
  const MasterKeys& masters() const { return masters_; }

 private:
  using Reader = std::unique_ptr<TrackReader>;
  struct Open {
    Track track;
    Reader reader;
    std::chrono::steady_clock::time_point used;
  };
  tl::expected<std::string, Trouble> read_archive(const Track& track, std::int64_t from,
                                                  std::size_t count);
  Reader take(const Track& track, std::int64_t position, std::uint64_t& forgotten);
  void put_back(const Track& track, Reader reader, std::uint64_t forgotten);

  const std::filesystem::path directory_;
  const MasterKeys masters_;
  std::mutex mutex_;
  std::list<Open> open_;         ///< the oldest first
  std::uint64_t forgotten_ = 0;  ///< calls of forget()
};

}  // namespace verbatim::recording
