#include "session/transcript/usage.hpp"

#include <algorithm>
#include <unordered_map>

#include "base/json/dump.hpp"
#include "base/json/view.hpp"
#include "session/transcript/event.hpp"

namespace verbatim::transcript {
namespace {

using json::Kind;
using json::View;

constexpr std::int64_t beyond_reason = usage_max / 1000;

void add(std::int64_t& sum, std::int64_t more) { sum = std::min(sum + more, usage_max); }

std::int64_t count(View number) {
  const auto value = number.integer().value_or(0);
  return value > 0 && value <= beyond_reason ? value : 0;
}

Usage read(View object) {
  Usage usage;
  if (const View audio = object["verbatim_audio"]; audio.exists()) {
    usage.input_audio_ms = count(audio["input_ms"]);
    usage.output_audio_ms = count(audio["output_ms"]);
    return usage;
  }
  if (object["type"].between_quotes() == "duration") {
    usage.transcription_ms = count(object["seconds"]) * 1000;
    return usage;
  }
  usage.input_tokens = count(object["input_tokens"]);
  usage.output_tokens = count(object["output_tokens"]);
  usage.total_tokens = object["total_tokens"].is(Kind::number)
                           ? count(object["total_tokens"])
                           : usage.input_tokens + usage.output_tokens;
  return usage;
}

/// Untrusted: a language code, or nothing.
std::string checked_code(std::string code) {
  constexpr std::size_t shortest = 2, longest = 16;
  const bool good = std::all_of(code.begin(), code.end(), [](char one) {
    return (one >= 'a' && one <= 'z') || (one >= 'A' && one <= 'Z') || one == '-';
  });
  return good && code.size() >= shortest && code.size() <= longest ? code : std::string();
}

}  // namespace

Usage& Usage::operator+=(const Usage& more) {
  add(input_tokens, more.input_tokens);
  add(output_tokens, more.output_tokens);
  add(total_tokens, more.total_tokens);
  add(transcription_ms, more.transcription_ms);
  add(input_audio_ms, more.input_audio_ms);
  add(output_audio_ms, more.output_audio_ms);
  return *this;
}

Usage read_usage(std::string_view object) { return read(View::of(object)); }

Usage sum_usage(std::string_view list) {
  Usage sum;
  for (json::Elements elements(View::of(list)); elements.next();) sum += read(elements.value());
  return sum;
}

bool ResponseCounts::any() const {
  return std::any_of(by_status.begin(), by_status.end(), [](std::uint64_t n) { return n > 0; });
}

std::string response_counts(const ResponseCounts& counts) {
  std::string by_status;
  for (std::size_t status = 0; status < counts.by_status.size(); ++status) {
    if (counts.by_status[status] == 0) continue;
    if (!by_status.empty()) by_status += ',';
    by_status.append("\"").append(to_string(static_cast<ResponseStatus>(status)));
    by_status.append("\":").append(std::to_string(counts.by_status[status]));
  }
  const std::string reason = counts.last_reason.empty() ? "null" : '"' + counts.last_reason + '"';
  return R"({"verbatim_responses":{"by_status":{)" + by_status + R"(},"last_reason":)" + reason +
         "}}";
}

std::string first_audio(const std::string& response_id, std::int64_t ms) {
  return dump({{"verbatim_first_audio", {{"response_id", response_id}, {"ms", ms}}}});
}

std::string usage_owner(const std::string& response_id) {
  return dump({{"verbatim_usage_of", {{"response_id", response_id}}}});
}

std::string incident(const Incident& one) {
  constexpr std::size_t bytes_max = 128;
  return dump({{"verbatim_incident",
                {{"kind", one.kind}, {"at", one.at}, {"why", one.why.substr(0, bytes_max)}}}});
}

void add_first_audio(std::vector<Turn>& turns, std::string_view usage_list) {
  std::unordered_map<std::string, std::int64_t> waits;
  for (json::Elements elements(View::of(usage_list)); elements.next();) {
    const View wait = elements.value()["verbatim_first_audio"];
    if (wait.exists()) waits.emplace(wait["response_id"].string_or_empty(), count(wait["ms"]));
  }
  for (Turn& turn : turns) {
    const auto wait = waits.empty() ? waits.end() : waits.find(turn.response_id);
    if (wait == waits.end()) continue;
    turn.first_audio_ms = wait->second;
    waits.erase(wait);
  }
}

std::string provider_session(const std::string& id) {
  constexpr std::size_t bytes_max = 256;
  return dump({{"verbatim_provider", {{"session_id", id.substr(0, bytes_max)}}}});
}

std::string spoken_language(const std::string& code) {
  return dump({{"verbatim_language", {{"code", code}}}});
}

std::string language_in(std::string_view usage_list) {
  std::string code;
  for (json::Elements elements(View::of(usage_list)); elements.next();) {
    const View language = elements.value()["verbatim_language"];
    if (language.exists()) code = checked_code(language["code"].string_or_empty());
  }
  return code;
}

std::string transcription_language(std::string_view settings_json) {
  const View settings = View::of(settings_json);
  const View inner = settings["session"];
  const View session = inner.is(Kind::object) ? inner : settings;
  return checked_code(session["audio"]["input"]["transcription"]["language"].string_or_empty());
}

std::string metered_audio(std::int64_t input_ms, std::int64_t output_ms) {
  return R"({"verbatim_audio":{"input_ms":)" + std::to_string(input_ms) + R"(,"output_ms":)" +
         std::to_string(output_ms) + "}}";
}

}  // namespace verbatim::transcript
