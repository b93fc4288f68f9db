// Measures what a conversation uses, from its messages. The audio's length follows from its bytes
// and the formats in force. The usage of a transcription is reported beside its text.
//
// Pure; owned by a RealtimeSession, one thread.
#pragma once

#include <cstdint>
#include <optional>
#include <string_view>

#include "session/transcript/event.hpp"

namespace verbatim::session {

class Meter {
 public:
  /// Continues from the counts of an earlier run of the attempt.
  void resume(const AudioMetered& counted);

  /// A client message that is sent on, with audio for the buffer or in an item. Its requested
  /// formats count until the provider names some; some providers never do.
  void client_sent(std::string_view type, std::string_view message);
  /// A session.created or session.updated: its formats apply from here on. Other types change
  /// nothing.
  void configured(std::string_view type, std::string_view message);
  void provider_sent(const AudioDelta& audio);

  /// The total so far.
  AudioMetered audio() const { return {input_us_ / 1000, output_us_ / 1000}; }
  /// The total, if the journal does not have it yet. It is recorded by the end of each response, so
  /// a crash loses no usage of a finished response.
  std::optional<AudioMetered> unwritten();

 private:
  void take_formats(std::string_view message);

  std::int64_t input_bytes_per_second_ = 48000;
  std::int64_t output_bytes_per_second_ = 48000;
  bool provider_named_formats_ = false;
  std::int64_t input_us_ = 0;
  std::int64_t output_us_ = 0;
  AudioMetered written_;
};

/// The usage that `input_audio_transcription.completed` reports; nullopt for any other message. It
/// is a separate event beside the one for its text.
std::optional<Event> read_transcription_usage(std::string_view type, std::string_view message);

}  // namespace verbatim::session
