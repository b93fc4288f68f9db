// Detects where speech begins and ends in the client's audio: compares the energy of 20 ms windows
// with a threshold. Stores a few numbers, never the audio. One thread.
#pragma once

#include <cstddef>
#include <cstdint>
#include <vector>

namespace verbatim::simulator {

/// The part of the session's turn_detection that controls the detector.
struct Hearing {
  double threshold = 0.5;  ///< 0 to 1, as in the protocol
  std::int64_t prefix_padding_ms = 300;
  std::int64_t silence_duration_ms = 200;
};

class SpeechDetector {
 public:
  struct Edge {
    bool started = false;        ///< false: stopped
    std::int64_t at_ms = 0;      ///< position in the audio of the whole session
    std::int64_t speech_ms = 0;  ///< when stopped: length of the speech without padding and silence
  };

  /// Reads samples and returns the edges found, in order, also if the caller ignores edges.
  std::vector<Edge> hear(const std::vector<std::int16_t>& samples, std::int64_t samples_per_second,
                         const Hearing& hearing);

  bool speaking() const { return speaking_; }
  std::int64_t heard_ms() const { return window_ * window_ms; }

  /// Call after a commit or clear: the next loud window begins a new utterance.
  void restart();

 private:
  static constexpr std::int64_t window_ms = 20;
  static constexpr int windows_to_start = 3;  // shorter sounds are not speech

  void close_window(std::int64_t window_samples, const Hearing& hearing, std::vector<Edge>& edges);

  std::int64_t window_ = 0;    // complete windows in this session
  std::int64_t energy_ = 0;    // of the current window
  std::size_t filled_ = 0;     // samples in the current window
  std::int64_t floor_ms_ = 0;  // padding starts here at the earliest
  std::int64_t begin_ms_ = 0;  // start of the first loud window
  std::int64_t quiet_ms_ = 0;
  int loud_windows_ = 0;
  bool speaking_ = false;
};

}  // namespace verbatim::simulator
