// Usage of a conversation: the provider's tokens, and the length of the audio. The sources are the
// provider's usage objects, which are stored unchanged, and the relay's own measurement.
//
// Plain values and pure functions; any thread. Untrusted input: never throws.
#pragma once

#include <array>
#include <cstddef>
#include <cstdint>
#include <string>
#include <string_view>
#include <vector>

#include "base/clock.hpp"
#include "session/transcript/event.hpp"
#include "session/transcript/turn.hpp"

namespace verbatim::transcript {

/// The upper limit of every count and sum, so that sums cannot overflow. No real session comes near
/// it; a larger count is an error of its sender.
inline constexpr std::int64_t usage_max = 1'000'000'000'000'000;

struct Usage {
  std::int64_t input_tokens = 0;
  std::int64_t output_tokens = 0;
  std::int64_t total_tokens = 0;      ///< the provider's total, else input plus output
  std::int64_t transcription_ms = 0;  ///< speech billed by its length, not by tokens
  std::int64_t input_audio_ms = 0;    ///< sent by the client
  std::int64_t output_audio_ms = 0;   ///< sent by the provider

  std::int64_t audio_ms() const { return input_audio_ms + output_audio_ms; }
  Usage& operator+=(const Usage& more);
  friend bool operator==(const Usage&, const Usage&) = default;
};

/// The usage in one usage object: of a response, or of a transcription (`type` tokens or duration).
/// Negative and absurdly large numbers count as zero.
Usage read_usage(std::string_view object);

/// The usage of a whole attempt, from its stored form: a JSON list of usage objects, with
/// metered_audio().
Usage sum_usage(std::string_view list);

/// How the model's responses ended, by the protocol's status names, and the reason of the latest
/// one that gave a reason.
struct ResponseCounts {
  std::array<std::uint64_t, response_status_count> by_status{};  ///< indexed by ResponseStatus
  std::string last_reason;                                       ///< a code, never free text
  /// Of the latest response with that status; empty if it gave none.
  std::array<std::string, response_status_count> reason_by_status;

  bool any() const;
  friend bool operator==(const ResponseCounts&, const ResponseCounts&) = default;
};

/// The element of that list with the outcome of responses:
/// `{"verbatim_responses":{"by_status":{"failed":2},"last_reason":"insufficient_quota"}}`.
std::string response_counts(const ResponseCounts& counts);

/// The element of that list with the wait for an answer's audio:
/// `{"verbatim_first_audio":{"response_id":"resp_1","ms":412}}`.
std::string first_audio(const std::string& response_id, std::int64_t ms);

/// The element of that list in front of a response's usage object, to say whose it is:
/// `{"verbatim_usage_of":{"response_id":"resp_1"}}`.
std::string usage_owner(const std::string& response_id);

/// An event that may explain why a conversation went badly, for operators.
struct Incident {
  const char* kind;  ///< upstream_opened, upstream_lost, settings_changed, provider_error
  TimeMs at = 0;
  std::string why;  ///< a code, never free text; may be empty
};
/// The element of that list for an incident:
/// `{"verbatim_incident":{"kind":"upstream_lost","at":1791234567890,"why":"upstream_lost"}}`.
std::string incident(const Incident& one);
/// Limit for one attempt; later incidents are dropped. A peer can cause some kinds without limit.
inline constexpr std::size_t incidents_max = 200;

/// Gives the first turn of each answer the wait for its audio that `usage_list` has.
void add_first_audio(std::vector<Turn>& turns, std::string_view usage_list);

/// The element of that list with the provider's id of the session:
/// `{"verbatim_provider":{"session_id":"sess_1"}}`. A longer id is cut to 256 bytes.
std::string provider_session(const std::string& id);

/// The element of that list with the language that the session set for transcriptions:
/// `{"verbatim_language":{"code":"de"}}`.
std::string spoken_language(const std::string& code);
/// The code of that element in a list; empty: there is none.
std::string language_in(std::string_view usage_list);
/// The language of input transcription in the provider's settings, as SettingsChanged has them.
/// Empty: none, or not a code of 2 to 16 letters and hyphens.
std::string transcription_language(std::string_view settings_json);

/// The element of that list with the length of the audio, in milliseconds for each direction.
std::string metered_audio(std::int64_t input_ms, std::int64_t output_ms);

}  // namespace verbatim::transcript
