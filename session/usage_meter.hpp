// Measures the audio of a conversation. Its length follows from its bytes and the formats in force.
//
// Pure; owned by a RealtimeSession, one thread.
#pragma once

#include <cstdint>
#include <optional>

#include "session/protocol/provider_dialect.hpp"
#include "session/transcript/event.hpp"

namespace verbatim::session {

class Meter {
 public:
  /// Continues from the counts of an earlier run of the attempt.
  void resume(const transcript::AudioMetered& counted);

  /// A client message that is sent on has this much audio, for the buffer or in an item.
  void client_sent(std::int64_t bytes);
  /// The client asks for these formats. They count until the provider names some; some providers
  /// never do.
  void requested(const protocol::AudioFormats& formats);
  /// The session in force has these formats, from here on.
  void configured(const protocol::AudioFormats& formats);
  void provider_sent(const transcript::AudioDelta& audio);

  /// The formats in force.
  const transcript::AudioFormat& input_format() const { return input_format_; }
  const transcript::AudioFormat& output_format() const { return output_format_; }

  /// The total so far.
  transcript::AudioMetered audio() const { return {input_us_ / 1000, output_us_ / 1000}; }
  /// The total, if the journal does not have it yet. It is recorded by the end of each response, so
  /// a crash loses no usage of a finished response.
  std::optional<transcript::AudioMetered> unwritten();

 private:
  void take_formats(const protocol::AudioFormats& formats);

  std::int64_t input_bytes_per_second_ = 48000;
  std::int64_t output_bytes_per_second_ = 48000;
  transcript::AudioFormat input_format_;
  transcript::AudioFormat output_format_;
  bool provider_named_formats_ = false;
  std::int64_t input_us_ = 0;
  std::int64_t output_us_ = 0;
  transcript::AudioMetered written_;
};

}  // namespace verbatim::session
