#include "simulator/speech_detector.hpp"

#include <algorithm>

namespace verbatim::simulator {

std::vector<SpeechDetector::Edge> SpeechDetector::hear(const std::vector<std::int16_t>& samples,
                                                       std::int64_t samples_per_second,
                                                       const Hearing& hearing) {
  std::vector<Edge> edges;
  const auto window_samples = static_cast<std::size_t>(samples_per_second * window_ms / 1000);
  const std::int16_t* from = samples.data();
  const std::int16_t* const end = from + samples.size();
  filled_ = std::min(filled_, window_samples - 1);  // the format may change within a window
  while (from != end) {
    const auto count = std::min(static_cast<std::size_t>(end - from), window_samples - filled_);
    std::int64_t energy = 0;
    for (std::size_t i = 0; i < count; ++i) energy += std::int64_t{from[i]} * from[i];
    energy_ += energy;
    from += count;
    filled_ += count;
    if (filled_ == window_samples) {
      close_window(static_cast<std::int64_t>(window_samples), hearing, edges);
    }
  }
  return edges;
}

void SpeechDetector::close_window(std::int64_t window_samples, const Hearing& hearing,
                                  std::vector<Edge>& edges) {
  // The default 0.5 is a root mean square of 500: a whisper at a laptop, well above its noise.
  const double limit = std::max(1000.0 * hearing.threshold, 50.0);
  const bool loud =
      static_cast<double>(energy_) > limit * limit * static_cast<double>(window_samples);
  energy_ = 0;
  filled_ = 0;
  ++window_;
  const std::int64_t now = window_ * window_ms;
  if (!speaking_) {
    loud_windows_ = loud ? loud_windows_ + 1 : 0;
    if (loud_windows_ < windows_to_start) return;
    begin_ms_ = now - windows_to_start * window_ms;
    edges.push_back({true, std::max(begin_ms_ - hearing.prefix_padding_ms, floor_ms_), 0});
    speaking_ = true;
    quiet_ms_ = 0;
    return;
  }
  quiet_ms_ = loud ? 0 : quiet_ms_ + window_ms;
  if (quiet_ms_ < hearing.silence_duration_ms || loud) return;
  edges.push_back({false, now, now - quiet_ms_ - begin_ms_});
  restart();
}

void SpeechDetector::restart() {
  speaking_ = false;
  loud_windows_ = 0;
  quiet_ms_ = 0;
  floor_ms_ = window_ * window_ms;
}

}  // namespace verbatim::simulator
