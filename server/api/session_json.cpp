#include "server/api/session_json.hpp"

#include <algorithm>
#include <nlohmann/json.hpp>

namespace verbatim::api {

namespace {

using nlohmann::json;

json parsed(const std::string& text, json fallback) {
  json value = json::parse(text, nullptr, false);
  return value.is_discarded() ? fallback : value;
}

json time_or_null(const std::optional<TimeMs>& time) {
  return time ? json(iso_time(*time)) : json(nullptr);
}

// Adds one of the provider's usage objects to the total: sums all numbers, under any name.
void add_usage(json& total, const json& one) {
  for (const auto& [key, value] : one.items()) {
    if (total.contains(key) && total[key].is_object() != value.is_object()) continue;
    if (value.is_number_integer()) {
      total[key] = total.value(key, std::int64_t{0}) + value.get<std::int64_t>();
    } else if (value.is_number()) {
      total[key] = total.value(key, 0.0) + value.get<double>();
    } else if (value.is_object()) {
      if (!total[key].is_object()) total[key] = json::object();
      add_usage(total[key], value);
    }
  }
}

/// The relay's own elements of that name among the provider's usage objects `list`
/// (session/transcript/usage.hpp). A provider may send any member: other forms are ignored.
json relays_own(const json& list, const char* name) {
  json found = json::array();
  for (const json& one : list)
    if (one.is_object() && one.contains(name) && one[name].is_object()) found.push_back(one[name]);
  return found;
}

bool is_relays_own(const json& one) {
  return !one.empty() && one.items().begin().key().starts_with("verbatim_");
}

/// Tokens under the provider's own names, details included, and audio by its length in seconds.
json usage_of(const json& list, const std::string& usage_json) {
  json usage{{"input_tokens", 0}, {"output_tokens", 0}, {"total_tokens", 0}};
  for (const json& one : list) {
    if (!one.is_object() || is_relays_own(one)) continue;
    if (one.value("type", json()) == "duration") continue;  // below
    add_usage(usage, one);
  }
  const transcript::Usage used = transcript::sum_usage(usage_json);
  const auto seconds = [](std::int64_t ms) { return static_cast<double>(ms) / 1000; };
  usage["transcription_seconds"] = seconds(used.transcription_ms);
  usage["audio_seconds"] = {{"input", seconds(used.input_audio_ms)},
                            {"output", seconds(used.output_audio_ms)}};
  return usage;
}

/// Adds waits to others: {count, mean, max}, null without any.
void add_waits(json& total, const json& more) {
  if (more.is_null()) return;
  if (total.is_null()) total = {{"count", 0}, {"mean", 0.0}, {"max", 0}};
  const auto sum = [](const json& waits) {
    return waits["mean"].get<double>() * waits["count"].get<double>();
  };
  const double all = sum(total) + sum(more);
  total["count"] = total["count"].get<std::int64_t>() + more["count"].get<std::int64_t>();
  total["mean"] = all / total["count"].get<double>();
  total["max"] = std::max(total["max"].get<std::int64_t>(), more["max"].get<std::int64_t>());
}

void add_wait(json& total, const json& one) {
  const auto given = one.find("ms");
  if (given == one.end() || !given->is_number_integer()) return;
  const auto ms = given->get<std::int64_t>();
  add_waits(total, {{"count", 1}, {"mean", static_cast<double>(ms)}, {"max", ms}});
}

/// How the model's responses ended: counts by status, and the last reason that was given. How long
/// the client waited for their first audio.
json responses_of(const json& list) {
  json shown = {{"by_status", json::object()}, {"last_reason", nullptr}};
  for (const json& one : relays_own(list, "verbatim_responses")) shown.update(one);
  json& waits = shown["first_audio_ms"] = nullptr;
  for (const json& one : relays_own(list, "verbatim_first_audio")) add_wait(waits, one);
  return shown;
}

void add_responses(json& total, const json& one) {
  add_usage(total["by_status"], one["by_status"]);
  if (!one["last_reason"].is_null()) total["last_reason"] = one["last_reason"];
  add_waits(total["first_audio_ms"], one["first_audio_ms"]);
}

/// The provider's own name for the session: its support asks for it.
json provider_of(const json& list) {
  json shown = {{"session_id", nullptr}};
  for (const json& one : relays_own(list, "verbatim_provider")) shown.update(one);
  return shown;
}

json to_json(const store::AttemptSummary& attempt) {
  const json list = parsed(attempt.usage_json, json::array());
  json shown = {
      {"attempt", attempt.number},
      {"status", transcript::to_string(attempt.status)},
      {"started_at", iso_time(attempt.started_at)},
      {"ended_at", time_or_null(attempt.ended_at)},
      {"close_reason",
       attempt.close_reason ? json(transcript::to_string(*attempt.close_reason)) : json()},
      {"complete", attempt.complete},
      {"model", attempt.model},
      {"turns", attempt.turns},
      {"usage", usage_of(list, attempt.usage_json)},
      {"responses", responses_of(list)},
      {"provider", provider_of(list)}};
  if (attempt.receipt) shown["receipt"] = json::parse(transcript::render_receipt(*attempt.receipt));
  return shown;
}

/// The text may hold half of a surrogate pair; dump() replaces it.
void add_hit(json& shown, const std::optional<store::SearchHit>& hit) {
  shown["snippet"] = hit ? json(hit->snippet) : json(nullptr);
  shown["match"] = !hit ? json(nullptr)
                        : json{{"attempt", hit->attempt},
                               {"ordinal", hit->ordinal},
                               {"role", transcript::to_string(hit->role)},
                               {"words", hit->words}};
}

json only(const json& whole, const std::vector<std::string>& fields) {
  if (fields.empty()) return whole;
  json part = json::object();
  for (const std::string& field : fields)
    if (const auto found = whole.find(field); found != whole.end()) part[field] = *found;
  return part;
}

}  // namespace

std::span<const std::string_view> listed_members() {
  static constexpr std::string_view names[] = {
      "id",       "user",    "status",   "created_at", "ended_at", "close_reason",
      "complete", "turns",   "usage",    "responses",  "attempt",  "current_attempt",
      "metadata", "private", "attempts", "snippet",    "match"};
  return names;
}

json to_json(const store::SessionPage& page, const std::vector<std::string>& fields) {
  json sessions = json::array();
  for (std::size_t i = 0; i < page.sessions.size(); ++i) {
    json shown = to_json(page.sessions[i]);
    if (i < page.hits.size()) add_hit(shown, page.hits[i]);
    sessions.push_back(only(shown, fields));
  }
  json shown = {{"sessions", std::move(sessions)},
                {"next_cursor", page.next_cursor.empty() ? json(nullptr) : json(page.next_cursor)}};
  if (page.total) {
    shown["total"] = *page.total;
    shown["total_is_exact"] = page.total_is_exact;
  }
  return shown;
}

json to_json(const store::SessionSummary& session) {
  json attempts = json::array();
  for (const auto& attempt : session.attempts) attempts.push_back(to_json(attempt));
  const bool any = !session.attempts.empty();
  json usage = any ? attempts.front()["usage"] : usage_of(json::array(), "[]");
  json responses = any ? attempts.front()["responses"] : responses_of(json::array());
  for (std::size_t i = 1; i < attempts.size(); ++i) {
    add_usage(usage, attempts[i]["usage"]);
    add_responses(responses, attempts[i]["responses"]);
  }
  json shown = {{"id", session.id},
                {"user", session.user},
                {"status", transcript::to_string(session.status)},
                {"created_at", iso_time(session.created_at)},
                {"ended_at", any ? attempts.back()["ended_at"] : json()},
                {"close_reason", any ? attempts.back()["close_reason"] : json()},
                {"complete", any ? attempts.back()["complete"] : json(false)},
                {"turns", any ? attempts.back()["turns"] : json(0)},
                {"usage", usage},
                {"responses", responses},
                {"provider", any ? attempts.back()["provider"] : provider_of(json::array())},
                {"attempt", any ? attempts.back()["attempt"] : json(1)},
                {"current_attempt", any ? attempts.back()["attempt"] : json(0)},
                {"metadata", parsed(session.metadata_json, json::object())},
                {"private", parsed(session.private_json, json::object())},
                {"attempts", attempts}};
  if (any && attempts.back().contains("receipt")) shown["receipt"] = attempts.back()["receipt"];
  return shown;
}

}  // namespace verbatim::api
