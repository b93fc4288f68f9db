// Archives one track: encodes its raw file, encrypts it, reads it back and compares, and only then
// removes the raw file. After a kill at any moment either the raw file is whole or its archive is.
//
// On the caller's thread; it takes long. Errors are values.
#pragma once

#include <cstdint>
#include <filesystem>
#include <functional>
#include <memory>
#include <optional>
#include <tl/expected.hpp>
#include <vector>

#include "server/recording/keys.hpp"
#include "server/recording/track_files.hpp"
#include "server/relay/audio/encoder.hpp"
#include "session/transcript/event.hpp"

namespace verbatim::recording {

/// How a track is kept.
struct Coding {
  std::optional<audio::Format> format;  ///< none: the bytes as they came
  int rate = 0;                         ///< samples a second, if there is a format
};
/// A track keeps its bytes unless all of it is PCM of one rate that the format has. G.711 is small,
/// and to encode it again would lose something.
Coding coding_of(const std::vector<transcript::AudioPlaced>& runs, transcript::AudioTrack track,
                 std::optional<audio::Format> wanted);

struct ArchiveOrder {
  std::filesystem::path directory;  ///< recording.dir
  Track track;
  Coding coding;
  const MasterKeys& masters;    ///< empty: the archive is not encrypted
  std::uint64_t room_left = 0;  ///< bytes of free space that must remain
  /// For tests.
  std::function<std::unique_ptr<audio::Encoder>(audio::Format, const audio::Shape&)> make_encoder =
      audio::make_encoder;
};

struct ArchivedTrack {
  std::uint64_t raw_bytes = 0;  ///< 0: nothing was to do, or it was stopped
  std::uint64_t bytes = 0;      ///< of the archive
};

/// Also ends what an earlier process has begun.
/// `stop`: is asked again and again; true: it gives up, and the raw file stays.
tl::expected<ArchivedTrack, Trouble> archive_track(const ArchiveOrder& order,
                                                   const std::function<bool()>& stop);

/// Whether archive_track() would write an archive: with this coding, and with or without keys.
bool has_archive(const Coding& coding, const MasterKeys& masters);

}  // namespace verbatim::recording
