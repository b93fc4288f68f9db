#include "session/settings_requests.hpp"

#include <algorithm>
#include <iterator>

#include "base/ascii.hpp"
#include "base/json/view.hpp"

namespace verbatim::session {

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

/// Empty if the event's session names no model.
std::string transcription_model_in(std::string_view event) {
  const json::View session = json::View::of(event)["session"];
  const json::View nested = session["audio"]["input"]["transcription"]["model"];
  const json::View model = nested.exists() ? nested : session["input_audio_transcription"]["model"];
  return model.string_or_empty();
}

}  // namespace

std::optional<bool> wants_transcription(std::string_view session_json) {
  const json::View session = json::View::of(session_json);
  const json::View nested = session["audio"]["input"]["transcription"];
  const json::View said = nested.exists() ? nested : session["input_audio_transcription"];
  if (!said.exists()) return std::nullopt;
  return !said.is(json::Kind::null);
}

void SettingsRequests::queued(const MessagePtr& message, Purpose purpose) {
  const auto view = json::View::of(message->bytes);
  Request request{message, purpose, view["event_id"].string_or_empty(), std::nullopt, false};
  if (purpose == Purpose::client)
    request.transcription = wants_transcription(view["session"].raw());
  requests_.push_back(std::move(request));
  if (requests_.size() > count_max) requests_.pop_front();
}

void SettingsRequests::sent(const MessagePtr& message) {
  const auto first_unsent = std::find_if(requests_.begin(), requests_.end(),
                                         [](const Request& one) { return !one.sent; });
  const auto leaves = std::find_if(first_unsent, requests_.end(), [&message](const Request& one) {
    return one.message == message;
  });
  if (leaves == requests_.end()) return;
  leaves->sent = true;
  std::rotate(first_unsent, leaves, std::next(leaves));
}

std::optional<SettingsRequests::Request> SettingsRequests::take(
    std::deque<Request>::iterator which) {
  if (which == requests_.end()) return std::nullopt;
  Request taken = std::move(*which);
  requests_.erase(which);
  return taken;
}

// Some providers leave an update unanswered. If the session shows the transcription model of the
// next request, and not that of the relay's, the event answers the next request.
std::optional<SettingsRequests::Request> SettingsRequests::answered(std::string_view updated) {
  const std::string shown = transcription_model_in(updated);
  while (requests_.size() > 1 && requests_.front().own() && requests_[1].sent) {
    const std::string wanted = transcription_model_in(requests_.front().message->bytes);
    const std::string wanted_next = transcription_model_in(requests_[1].message->bytes);
    if (wanted == shown || wanted_next.empty() || wanted_next != shown) break;
    requests_.pop_front();
  }
  return take(requests_.begin());
}

std::optional<SettingsRequests::Request> SettingsRequests::refused(std::string_view error_message) {
  const json::View error = json::View::of(error_message)["error"];
  const std::string event_id = error["event_id"].string_or_empty();
  if (!event_id.empty()) {
    return take(std::find_if(requests_.begin(), requests_.end(),
                             [&event_id](const Request& one) { return one.event_id == event_id; }));
  }
  if (!is_about_settings(error)) return std::nullopt;
  return take(requests_.begin());
}

void SettingsRequests::connection_lost() {
  std::erase_if(requests_, [](const Request& one) { return one.sent; });
}

bool SettingsRequests::has_own() const {
  return std::any_of(requests_.begin(), requests_.end(),
                     [](const Request& one) { return one.own(); });
}

}  // namespace verbatim::session
