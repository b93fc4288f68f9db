// What a conversation costs, read off its messages as they pass: the audio's length from its bytes
// and the formats in force, and the usage of transcriptions, which comes beside their text.
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
  /// Goes on from what an earlier run of the attempt had counted.
  void resume(const AudioMetered& counted);

  /// A client's message that is sent on: audio in the buffer, or in an item. Formats that it asks
  /// for count while the provider has named none: some never do.
  void client_sent(std::string_view type, std::string_view message);
  /// A session.created or .updated: formats from here on. Any other type changes nothing.
  void configured(std::string_view type, std::string_view message);
  void provider_sent(const AudioDelta& audio);

  /// So far.
  AudioMetered audio() const { return {input_us_ / 1000, output_us_ / 1000}; }
  /// Which the journal does not have yet: by the end of each response, so that a crash loses
  /// nothing that a finished response used.
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

/// What `input_audio_transcription.completed` says that it cost; nullopt of any other message. An
/// event of its own, beside that of its text.
std::optional<Event> read_transcription_usage(std::string_view type, std::string_view message);

}  // namespace verbatim::session
