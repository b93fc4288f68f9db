// The consequences of a target's answer to a call. Pure; any thread.
#pragma once

#include <chrono>
#include <cstdint>
#include <optional>
#include <string>
#include <string_view>

#include "session/transcript/turn.hpp"

namespace verbatim::webhooks {

enum class Verdict : std::uint8_t {
  delivered,  ///< 2xx
  failed,     ///< another call may succeed: no answer, 3xx, 5xx, 408, 425, 429
  refused,    ///< another call is unlikely to succeed: other 4xx
  gone,       ///< 410: the target wants no further call for this message
};

/// `status`: 0 if there was no answer.
Verdict verdict_of(int status);

/// The pause that a Retry-After field asks for: seconds, or a date, which counts from the answer's
/// own `date` because the target's clock may differ. nullopt: it is neither.
std::optional<std::chrono::milliseconds> read_retry_after(const std::string& value,
                                                          const std::string& date, TimeMs now);

/// The beginning of an answer's body as it is kept: UTF-8 without NUL, at most `bytes_max`.
std::string kept_answer(std::string_view body, std::size_t bytes_max);

}  // namespace verbatim::webhooks
