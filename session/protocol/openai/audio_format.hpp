// The rate of audio, from the format in a session object of GA or beta.
//
// Pure; any thread.
#pragma once

#include <cstdint>
#include <string_view>

#include "base/json/view.hpp"
#include "session/transcript/event.hpp"

namespace verbatim::protocol {

/// Bytes per second of a format in a session object of GA (an object) or beta (a name). 48000
/// (16-bit PCM at 24 kHz) if the format does not say.
inline std::int64_t bytes_per_second(json::View format) {
  const auto name = format.is(json::Kind::object) ? format["type"].between_quotes()  // GA
                                                  : format.between_quotes();         // beta
  if (name == "audio/pcmu" || name == "audio/pcma") return 8000;
  if (name == "g711_ulaw" || name == "g711_alaw") return 8000;
  const auto rate = format["rate"].integer().value_or(24000);
  return rate >= 1000 && rate <= 192000 ? rate * 2 : 48000;
}

/// The format itself, for a recording. 16-bit PCM at 24 kHz if it does not say.
inline transcript::AudioFormat audio_format(json::View format) {
  const auto name =
      format.is(json::Kind::object) ? format["type"].between_quotes() : format.between_quotes();
  if (name == "audio/pcmu" || name == "g711_ulaw") return {transcript::AudioEncoding::pcmu, 8000};
  if (name == "audio/pcma" || name == "g711_alaw") return {transcript::AudioEncoding::pcma, 8000};
  return {transcript::AudioEncoding::pcm16, static_cast<int>(bytes_per_second(format) / 2)};
}

/// Bytes per millisecond, rounded. Precise enough for the heard part of an answer, but not for its
/// cost: 44.1 kHz has 88.2.
inline int bytes_per_ms(json::View format) {
  return static_cast<int>((bytes_per_second(format) + 500) / 1000);
}

}  // namespace verbatim::protocol
