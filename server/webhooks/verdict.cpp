#include "server/webhooks/verdict.hpp"

#include <curl/curl.h>

#include <algorithm>
#include <charconv>
#include <limits>

#include "base/utf8.hpp"

namespace verbatim::webhooks {

namespace {

/// Seconds since 1970; nullopt: not a date.
std::optional<std::int64_t> read_date(const std::string& text) {
  const time_t seconds = curl_getdate(text.c_str(), nullptr);
  if (seconds == -1) return std::nullopt;
  return seconds;
}

/// Longer pauses are bounded anyway; this avoids an overflow.
constexpr std::int64_t pause_seconds_max = 366LL * 24 * 3600;

}  // namespace

Verdict verdict_of(int status) {
  constexpr int request_timeout = 408;
  constexpr int gone = 410;
  constexpr int too_early = 425;
  constexpr int too_many_requests = 429;
  if (status >= 200 && status < 300) return Verdict::delivered;
  if (status == gone) return Verdict::gone;
  const bool for_now =
      status == request_timeout || status == too_early || status == too_many_requests;
  return status >= 400 && status < 500 && !for_now ? Verdict::refused : Verdict::failed;
}

std::optional<std::chrono::milliseconds> read_retry_after(const std::string& value,
                                                          const std::string& date, TimeMs now) {
  if (value.empty()) return std::nullopt;
  std::int64_t seconds = 0;
  if (std::all_of(value.begin(), value.end(), [](char one) { return one >= '0' && one <= '9'; })) {
    const auto read = std::from_chars(value.data(), value.data() + value.size(), seconds);
    if (read.ec != std::errc()) seconds = pause_seconds_max;
  } else if (const auto until = read_date(value)) {
    seconds = *until - read_date(date).value_or(now / 1000);
  } else {
    return std::nullopt;
  }
  return std::chrono::seconds(std::clamp<std::int64_t>(seconds, 0, pause_seconds_max));
}

std::string kept_answer(std::string_view body, std::size_t bytes_max) {
  constexpr std::string_view replacement = "\xEF\xBF\xBD";
  std::string kept;
  while (!body.empty()) {
    const std::size_t valid = utf8::sequence_length(body);
    const bool shown = valid > 0 && body.front() != '\0';
    const std::string_view next = shown ? body.substr(0, valid) : replacement;
    if (kept.size() + next.size() > bytes_max) break;
    kept += next;
    body.remove_prefix(shown ? valid : 1);
  }
  return kept;
}

}  // namespace verbatim::webhooks
