// Where speech begins and ends in the client's audio, by its energy: 20 ms windows, louder than a
// threshold or not. Keeps a few numbers, never the audio. One thread.
#pragma once

#include <cstddef>
#include <cstdint>
#include <vector>

namespace verbatim::simulator {

/// The session's turn_detection, as far as it is about hearing.
struct Hearing {
  double threshold = 0.5;  ///< 0 to 1, as in the protocol
  std::int64_t prefix_padding_ms = 300;
  std::int64_t silence_duration_ms = 200;
};

class SpeechDetector {
 public:
  struct Edge {
    bool started = false;        ///< else stopped
    std::int64_t at_ms = 0;      ///< in the audio of the whole session
    std::int64_t speech_ms = 0;  ///< when stopped: how long it was, without padding and silence
  };

  /// Feeds samples; returns what was found, in order. Edges come also while nobody acts on them.
  std::vector<Edge> hear(const std::vector<std::int16_t>& samples, std::int64_t samples_per_second,
                         const Hearing& hearing);

  bool speaking() const { return speaking_; }
  std::int64_t heard_ms() const { return window_ * window_ms; }

  /// The buffer was committed or cleared: the next loud window begins a new utterance.
  void restart();

 private:
  static constexpr std::int64_t window_ms = 20;
  static constexpr int windows_to_start = 3;  // a click is no speech

  void close_window(std::int64_t window_samples, const Hearing& hearing, std::vector<Edge>& edges);

  std::int64_t window_ = 0;    // whole windows heard in this session
  std::int64_t energy_ = 0;    // of the window that is being filled
  std::size_t filled_ = 0;     // samples in it
  std::int64_t floor_ms_ = 0;  // padding does not reach back before this
  std::int64_t begin_ms_ = 0;  // of the first loud window
  std::int64_t quiet_ms_ = 0;
  int loud_windows_ = 0;
  bool speaking_ = false;
};

}  // namespace verbatim::simulator
