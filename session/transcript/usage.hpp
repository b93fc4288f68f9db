// What a conversation has used: the provider's tokens, and audio by its length. Read from the
// provider's usage objects, which are kept as they came, and from what the relay has metered.
//
// Plain values and pure functions. Untrusted input: never throws.
#pragma once

#include <array>
#include <cstdint>
#include <string>
#include <string_view>

namespace verbatim::session {

/// No session comes near: a larger count is a mistake of whoever sent it, and sums stop here, so
/// that adding up what is in a journal or a usage object can not overflow.
inline constexpr std::int64_t usage_max = 1'000'000'000'000'000;

struct Usage {
  std::int64_t input_tokens = 0;
  std::int64_t output_tokens = 0;
  std::int64_t total_tokens = 0;      ///< as the provider adds up, else input and output
  std::int64_t transcription_ms = 0;  ///< of speech that is billed by its length, not by tokens
  std::int64_t input_audio_ms = 0;    ///< sent by the client
  std::int64_t output_audio_ms = 0;   ///< sent by the provider

  std::int64_t audio_ms() const { return input_audio_ms + output_audio_ms; }
  Usage& operator+=(const Usage& more);
  friend bool operator==(const Usage&, const Usage&) = default;
};

/// Of one usage object: of a response, or of a transcription (`type` tokens or duration). Numbers
/// that are negative or beyond all reason count as none.
Usage read_usage(std::string_view object);

/// Of a whole attempt, as it is stored: a JSON list of usage objects, with metered_audio().
Usage sum_usage(std::string_view list);

/// How the model's responses ended, by the protocol's names, and why the last one did that said so.
struct ResponseCounts {
  std::array<std::uint64_t, 5> by_status{};  ///< by ResponseStatus
  std::string last_reason;                   ///< a code, never free text
  /// Of the last response with that status; empty if it gave none.
  std::array<std::string, 5> reason_by_status;

  bool any() const;
  friend bool operator==(const ResponseCounts&, const ResponseCounts&) = default;
};

/// The element of that list which says how responses ended:
/// `{"verbatim_responses":{"by_status":{"failed":2},"last_reason":"insufficient_quota"}}`.
std::string response_counts(const ResponseCounts& counts);

/// The element of that list which says how much audio went each way.
std::string metered_audio(std::int64_t input_ms, std::int64_t output_ms);

}  // namespace verbatim::session
