// The utterances of an attempt that are transcribed again, and their audio.
//
// Pure; any thread.
#pragma once

#include <cstdint>
#include <optional>
#include <string>
#include <vector>

#include "server/relay/audio_timeline.hpp"
#include "session/transcript/render/render.hpp"

namespace verbatim::repair {

/// Audio before and after an utterance that is sent with it: a word begins softly, and the
/// provider's detection of speech is late.
inline constexpr std::int64_t margin_ms = 200;
/// A completed transcription without text is right for a shorter noise.
inline constexpr std::int64_t speech_min_ms = 400;

struct Utterance {
  std::string item_id;
  int ordinal = 0;            ///< of its turn
  std::int64_t audio_ms = 0;  ///< of its speech, without the margins
  int tries = 0;

  friend bool operator==(const Utterance&, const Utterance&) = default;
};

using Runs = std::vector<transcript::AudioPlaced>;

/// The user's turns without text whose speech was recorded, in the conversation's order: a
/// transcription that failed, that never came, or that is empty over more than `speech_min_ms`.
/// `again`: also turns that have a repair which the merge did not choose.
std::vector<Utterance> choose_utterances(const transcript::TranscriptView& view, const Runs& runs,
                                         bool again);

/// The user's track while the item was spoken, with the margins. nullopt: there is no such audio.
std::optional<relay::AudioTimeline> cut_utterance(const Runs& runs, std::int64_t user_bytes,
                                                  const std::string& item_id);

/// Finds out whether there is any sound, from 16-bit samples of one channel that come in pieces.
/// Engines hear "Thank you." in silence.
class SoundDetector {
 public:
  /// `rate`: samples a second.
  explicit SoundDetector(int rate);
  /// Bytes of whole samples.
  void add(std::string_view samples);
  bool found() const { return found_; }

 private:
  std::int64_t window_;  ///< samples
  std::int64_t in_window_ = 0;
  double energy_ = 0;
  bool found_ = false;
};

}  // namespace verbatim::repair
