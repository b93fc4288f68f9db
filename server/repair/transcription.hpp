// A request for a transcription and its answer, as OpenAI's API has them and the servers that copy
// it: POST /v1/audio/transcriptions with a form (docs/recording.md, Repair).
//
// Pure; any thread. Untrusted input: an answer never throws.
#pragma once

#include <chrono>
#include <cstdint>
#include <optional>
#include <string>
#include <string_view>

#include "base/clock.hpp"
#include "server/webhooks/call.hpp"

namespace verbatim::repair {

/// The address of requests. `url`: as configured, with or without the path or its beginning `/v1`.
std::string transcriptions_url(std::string url);

struct Form {
  std::string content_type;
  std::string body;
};
/// `language`: empty: the engine finds it out.
/// `boundary`: text that is not in `wav`, such as a random id.
Form make_form(std::string_view wav, const std::string& model, const std::string& language,
               const std::string& boundary);

/// The numbers index the counters of metrics.
enum class Outcome : std::uint8_t {
  repaired = 0,
  empty = 1,        ///< no words, or only a remark such as [BLANK_AUDIO]
  unreadable = 2,   ///< a success without the JSON of a transcription
  refused = 3,      ///< 3xx, 4xx
  failed = 4,       ///< no answer, 408, 425, 429, 5xx
  thrown_away = 5,  ///< the session was erased meanwhile
  not_sent = 6,     ///< silent, too long, or beyond the limit of an attempt
};
inline constexpr std::size_t outcome_count = 7;
std::string_view to_string(Outcome outcome);

struct Transcription {
  Outcome outcome = Outcome::failed;
  std::string text;  ///< without the blanks around it
  std::string why;   ///< of a failure: a status and the engine's code, never words of its answer
  /// The call with any other audio would fail in the same way: the engine needs a pause.
  bool is_engines_fault = false;
  std::optional<std::chrono::milliseconds> retry_after;
};
Transcription read_answer(const webhooks::CallAnswer& answer, TimeMs now);

}  // namespace verbatim::repair
