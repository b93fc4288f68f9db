#include "server/repair/transcription.hpp"

#include <algorithm>
#include <array>

#include "base/ascii.hpp"
#include "base/json/view.hpp"
#include "server/webhooks/verdict.hpp"

namespace verbatim::repair {

namespace {

using json::Kind;
using json::View;

constexpr std::array<std::string_view, outcome_count> outcome_names = {
    "repaired", "empty", "unreadable", "refused", "failed", "thrown_away", "not_sent"};

constexpr std::string_view path = "/v1/audio/transcriptions";

void add_field(std::string& body, const std::string& boundary, const char* name,
               std::string_view value) {
  body.append("--").append(boundary).append("\r\nContent-Disposition: form-data; name=\"");
  body.append(name).append("\"\r\n\r\n").append(value).append("\r\n");
}

/// Whisper's remarks for sounds without words: [BLANK_AUDIO], (silence), *music*.
bool is_remark(std::string_view text) {
  static constexpr std::array<std::pair<char, char>, 3> marks = {
      {{'[', ']'}, {'(', ')'}, {'*', '*'}}};
  while (!text.empty()) {
    const auto mark = std::find_if(marks.begin(), marks.end(),
                                   [&](const auto& one) { return text.front() == one.first; });
    if (mark == marks.end()) return false;
    const std::size_t end = text.find(mark->second, 1);
    if (end == std::string_view::npos) return false;
    text = trimmed(text.substr(end + 1));
  }
  return true;
}

/// The code in an error, such as `insufficient_quota`; empty if there is none of that form.
std::string code_of(std::string_view body) {
  const View error = View::of(trimmed(body))["error"];
  for (const char* const name : {"code", "type"}) {
    const std::string code = error[name].string_or_empty();
    constexpr std::size_t longest = 64;
    const bool plain = std::all_of(code.begin(), code.end(), [](char one) {
      return (one >= 'a' && one <= 'z') || (one >= 'A' && one <= 'Z') || one == '_' || one == '-';
    });
    if (plain && !code.empty() && code.size() <= longest) return code;
  }
  return {};
}

Transcription failure(Outcome outcome, std::string why, bool engines_fault = false) {
  return {outcome, {}, std::move(why), engines_fault, std::nullopt};
}

/// Of an answer with a status of success.
Transcription read_success(std::string_view body) {
  body = trimmed(body);
  const View text = View::of(body)["text"];
  if (json::check(body) || !text.is(Kind::string) || !text.string())
    return failure(Outcome::unreadable, "the answer is not JSON with a text");
  const std::string whole = *text.string();
  const std::string_view words = trimmed(whole);
  if (is_remark(words)) return failure(Outcome::empty, "the answer has no words");
  return {Outcome::repaired, std::string(words), {}, false, std::nullopt};
}

bool is_about_the_engine(int status) {
  constexpr std::array<int, 7> always = {401, 402, 403, 404, 405, 429, 503};
  return status < 400 || std::find(always.begin(), always.end(), status) != always.end();
}

}  // namespace

std::string_view to_string(Outcome outcome) {
  return outcome_names[static_cast<std::size_t>(outcome)];
}

std::string transcriptions_url(std::string url) {
  constexpr std::string_view version = "/v1";
  const std::size_t query_at = std::min(url.find('?'), url.size());
  const std::string query = url.substr(query_at);
  url.resize(query_at);
  while (url.ends_with('/')) url.pop_back();
  if (url.ends_with(path)) return url + query;
  if (url.ends_with(version)) url.resize(url.size() - version.size());
  return url.append(path) + query;
}

Form make_form(std::string_view wav, const std::string& model, const std::string& language,
               const std::string& boundary) {
  constexpr std::size_t fields_bytes = 1024;
  Form form;
  form.content_type = "multipart/form-data; boundary=" + boundary;
  form.body.reserve(wav.size() + fields_bytes);
  add_field(form.body, boundary, "model", model);
  if (!language.empty()) add_field(form.body, boundary, "language", language);
  add_field(form.body, boundary, "response_format", "json");
  form.body.append("--").append(boundary);
  form.body.append(
      "\r\nContent-Disposition: form-data; name=\"file\"; filename=\"utterance.wav\"\r\n"
      "Content-Type: audio/wav\r\n\r\n");
  form.body.append(wav).append("\r\n--").append(boundary).append("--\r\n");
  return form;
}

Transcription read_answer(const webhooks::CallAnswer& answer, TimeMs now) {
  if (answer.status == 0) return failure(Outcome::failed, answer.error, true);
  if (answer.status >= 200 && answer.status < 300) return read_success(answer.body);
  std::string why = "HTTP " + std::to_string(answer.status);
  if (const std::string code = code_of(answer.body); !code.empty()) why += ", " + code;
  const bool for_now = webhooks::verdict_of(answer.status) == webhooks::Verdict::failed;
  const bool redirect = answer.status < 400;
  if (redirect) why += ": a redirect is not followed";
  Transcription result = failure(for_now && !redirect ? Outcome::failed : Outcome::refused, why,
                                 is_about_the_engine(answer.status));
  result.retry_after = webhooks::read_retry_after(answer.retry_after, answer.date, now);
  return result;
}

}  // namespace verbatim::repair
