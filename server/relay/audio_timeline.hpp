// The recorded audio of an attempt, computed from its tracks and their index (docs/recording.md):
// as samples, and as the bytes of a WAV file. Any part can be read alone, so that an export needs
// no temporary file.
//
// Immutable; any thread.
#pragma once

#include <cstdint>
#include <functional>
#include <optional>
#include <string>
#include <vector>

#include "session/transcript/event.hpp"

namespace verbatim::relay {

/// Bytes of the two tracks' files.
struct TrackSizes {
  std::int64_t user = 0;
  std::int64_t assistant = 0;
  std::int64_t of(transcript::AudioTrack track) const {
    return track == transcript::AudioTrack::user ? user : assistant;
  }
};

struct AudioExport {
  std::optional<transcript::AudioTrack> track;  ///< none: both, the user left
  bool unheard = false;                         ///< with what the client did not hear
  std::optional<std::string> item_id;           ///< only while this item is heard
  std::int64_t margin_ms = 0;  ///< more before and after an item, up to the speech of another one
};

class AudioTimeline {
 public:
  using Runs = std::vector<transcript::AudioPlaced>;
  static constexpr std::uint64_t header_bytes = 44;

  /// nullopt: there is no such audio.
  static std::optional<AudioTimeline> of(const Runs& runs, const TrackSizes& sizes,
                                         const AudioExport& wanted);

  std::uint64_t bytes() const { return header_bytes + frames_ * frame_bytes(); }
  std::uint64_t frames() const { return frames_; }
  /// Bytes of a frame: a 16-bit sample of each channel.
  std::uint64_t frame_bytes() const { return 2 * static_cast<std::uint64_t>(channels()); }
  int rate() const { return rate_; }
  int channels() const { return track_ ? 1 : 2; }
  /// Sizes of the files when this was computed. Later they may be gone.
  const TrackSizes& sizes() const { return sizes_; }
  /// Milliseconds from the beginning of the attempt to the first sample.
  std::int64_t starts_at_ms() const { return origin_ * 1000 / rate_; }

  /// The first frame from number `first` on that is not silence between the pieces of audio. Of one
  /// track alone: of both. frames(): there is none.
  std::uint64_t next_audio(std::uint64_t first) const;

  /// The time in which an item is heard, in frames of the export.
  struct Heard {
    std::string item_id;
    std::uint64_t begins = 0;
    std::uint64_t ends = 0;
  };
  /// The items of a whole attempt's export, by their begin. `runs`: as of() had them.
  std::vector<Heard> heard_items(const Runs& runs) const;

  /// Reads bytes of a track's file: fewer at its end.
  using ReadTrack = std::function<std::string(transcript::AudioTrack track, std::int64_t from,
                                              std::size_t count)>;
  /// `count` bytes of the WAV file from `from` on, fewer at its end. nullopt: a track's file is
  /// shorter than it was.
  std::optional<std::string> read(std::uint64_t from, std::size_t count,
                                  const ReadTrack& track) const;
  /// `count` frames from number `first` on, fewer at the end: 16-bit little-endian samples, the
  /// left one first. nullopt as above.
  std::optional<std::string> samples(std::uint64_t first, std::uint64_t count,
                                     const ReadTrack& track) const;

 private:
  /// A stretch of a track in the frames of the export.
  struct Piece {
    transcript::AudioTrack track;
    std::int64_t begins = 0;
    std::int64_t ends = 0;
    std::int64_t from = 0;  ///< byte of the track's file
    transcript::AudioFormat format;
    std::string item_id;
  };
  using Pieces = std::vector<Piece>;

  static Runs completed(Runs runs, const TrackSizes& sizes);
  std::int64_t frames_of(std::int64_t bytes, const transcript::AudioFormat& format) const;
  Pieces pieces_of(transcript::AudioTrack track, const Runs& runs, std::int64_t size,
                   const AudioExport& wanted) const;
  template <class Add>
  void each_heard(const Runs& runs, const Add& add) const;
  bool choose_item(const Runs& runs, const std::string& item_id, std::int64_t margin_ms);
  std::string header() const;
  bool mix(const Piece& piece, std::int64_t first, std::int64_t last, const ReadTrack& read,
           std::string& into) const;

  std::optional<transcript::AudioTrack> track_;
  TrackSizes sizes_;
  int rate_ = 24000;
  Pieces pieces_;
  std::int64_t origin_ = 0;  ///< frame of the attempt that is the export's first
  std::uint64_t frames_ = 0;
};

}  // namespace verbatim::relay
