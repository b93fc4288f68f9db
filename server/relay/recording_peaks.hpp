// The loudness of a recording over time, for drawings of it (docs/recording.md): each speaker's
// largest sample in equal stretches of time. And the time in which each item is heard. The default
// export has the same audio: without what the client did not hear.
//
// Computed part by part, in turn with the exports, and then kept in a file beside the audio. One
// part of the samples is in memory.
//
// Made on any thread. The calls are made one after the other, from any thread.
#pragma once

#include <array>
#include <cstddef>
#include <cstdint>
#include <functional>
#include <memory>
#include <optional>
#include <string>
#include <vector>

#include "server/relay/recordings.hpp"

namespace verbatim::relay {

class RecordingPeaks final : public std::enable_shared_from_this<RecordingPeaks> {
 public:
  /// Shortest stretch of time that a value stands for. It is doubled until there are few enough.
  static constexpr std::uint64_t value_ms_min = 50;
  /// Most values of a speaker: 20 minutes at 20 a second. No screen shows more of them.
  static constexpr std::uint64_t values_max = 24'000;
  static constexpr int loudest = 255;  ///< value of a full-scale sample
  /// Frames of samples that are computed at once, so that an export does not wait for long.
  static constexpr std::uint64_t part_frames = 64 * 1024;

  /// `audio`: of the whole attempt, both tracks, without what was not heard. `runs`: its index.
  RecordingPeaks(Recordings& recordings, RecordedAudio audio, AudioTimeline::Runs runs);

  /// Names the audio and the form of the answer: a kept file of another name is not used.
  const std::string& identity() const { return identity_; }

  /// The JSON text that an earlier call has kept. nullopt: none, or it is damaged or of other
  /// audio. `done` is called on the thread of the files.
  void read_kept(std::function<void(std::optional<std::string>)> done);

  enum class Progress { more, complete, failed };
  /// Computes one part. `done` is called on the thread that encodes. `failed`: the audio cannot be
  /// read any more, which is logged.
  void next(std::function<void(Progress)> done);
  /// Once complete: the JSON text. It is kept, if the disk takes it.
  const std::string& json() const { return json_; }

 private:
  Progress compute();
  void add(const std::string& samples);
  std::string to_json() const;
  void keep();

  Recordings& recordings_;
  const RecordedAudio audio_;
  const AudioTimeline::Runs runs_;
  std::uint64_t value_frames_ = 1;  ///< frames that a value stands for
  std::string identity_;
  std::array<std::vector<std::uint8_t>, Recordings::files_of_a_session> values_;  ///< user first
  std::uint64_t computed_ = 0;                                                    ///< frames
  std::string json_;
};

}  // namespace verbatim::relay
