#include "session/protocol/openai/error_meaning.hpp"

#include <algorithm>
#include <initializer_list>

#include "base/ascii.hpp"
#include "base/json/view.hpp"

namespace verbatim::protocol {

namespace {

bool contains_any(std::string_view text, std::initializer_list<std::string_view> words) {
  return std::any_of(words.begin(), words.end(),
                     [text](std::string_view word) { return text.find(word) != text.npos; });
}

bool starts_with_any(std::string_view text, std::initializer_list<std::string_view> beginnings) {
  return std::any_of(beginnings.begin(), beginnings.end(),
                     [text](std::string_view one) { return text.starts_with(one); });
}

/// Whether an error without an event_id can be about a session.update. Decides by the field that it
/// names, else by its code, else by its text. The text is the provider's and is not passed on.
bool is_about_settings(json::View error) {
  const std::string param = error["param"].string_or_empty();
  if (!param.empty())
    return starts_with_any(param, {"session", "audio.", "input_audio_transcription",
                                   "transcription", "turn_detection"});
  const std::string code = error["code"].string_or_empty();
  if (starts_with_any(code, {"input_audio_buffer", "response_", "conversation_", "item_",
                             "rate_limit", "insufficient_quota", "credit_", "session_expired",
                             "invalid_api_key", "unsupported_content_type"}))
    return false;
  const std::string words = lower_case(error["message"].string_or_empty());
  if (contains_any(words, {"session.update", "transcription", "turn_detection", "voice"}))
    return true;
  return !contains_any(
      words, {"response", "item", "buffer", "audio", "quota", "rate limit", "maximum duration"});
}

}  // namespace

ErrorMeaning error_meaning(const transcript::ProviderError& error) {
  if (error.code == "session_expired") return ErrorMeaning::session_expired;
  if (error.code == "conversation_already_has_active_response")
    return ErrorMeaning::response_running;
  return ErrorMeaning::other;
}

ErrorAnswer error_answer(std::string_view error_message) {
  const json::View error = json::View::of(error_message)["error"];
  ErrorAnswer answer{error["event_id"].string_or_empty()};
  answer.about_settings = answer.event_id.empty() && is_about_settings(error);
  return answer;
}

bool is_session_limit(std::uint16_t close_code, std::string_view reason) {
  constexpr std::uint16_t going_away = 1001;
  return close_code == going_away && reason.find("maximum duration") != reason.npos;
}

}  // namespace verbatim::protocol
