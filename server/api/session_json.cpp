#include "server/api/session_json.hpp"

#include <algorithm>

#include "base/clock.hpp"
#include "base/json/dump.hpp"
#include "base/json/tree.hpp"

namespace verbatim::api {

namespace {

Json parsed(const std::string& text, Json fallback) {
  Json value = Json::parse(text, nullptr, false);
  return value.is_discarded() ? fallback : value;
}

Json time_or_null(const std::optional<TimeMs>& time) {
  return time ? Json(iso_time(*time)) : Json(nullptr);
}

// Adds one of the provider's usage objects to the total: sums all numbers, under any name.
void add_usage(Json& total, const Json& one) {
  for (const auto& [key, value] : one.items()) {
    if (total.contains(key) && total[key].is_object() != value.is_object()) continue;
    if (value.is_number_integer()) {
      total[key] = total.value(key, std::int64_t{0}) + value.get<std::int64_t>();
    } else if (value.is_number()) {
      total[key] = total.value(key, 0.0) + value.get<double>();
    } else if (value.is_object()) {
      if (!total[key].is_object()) total[key] = Json::object();
      add_usage(total[key], value);
    }
  }
}

/// The relay's own elements of that name among the provider's usage objects `list`
/// (session/transcript/usage.hpp). A provider may send any member: other forms are ignored.
Json relays_own(const Json& list, const char* name) {
  Json found = Json::array();
  for (const Json& one : list)
    if (one.is_object() && one.contains(name) && one[name].is_object()) found.push_back(one[name]);
  return found;
}

bool is_relays_own(const Json& one) {
  return !one.empty() && one.items().begin().key().starts_with("verbatim_");
}

/// Tokens under the provider's own names, details included, and audio by its length in seconds.
Json usage_of(const Json& list, const std::string& usage_json) {
  Json usage{{"input_tokens", 0}, {"output_tokens", 0}, {"total_tokens", 0}};
  for (const Json& one : list) {
    if (!one.is_object() || is_relays_own(one)) continue;
    if (one.value("type", Json()) == "duration") continue;  // below
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
void add_waits(Json& total, const Json& more) {
  if (more.is_null()) return;
  if (total.is_null()) total = {{"count", 0}, {"mean", 0.0}, {"max", 0}};
  const auto sum = [](const Json& waits) {
    return waits["mean"].get<double>() * waits["count"].get<double>();
  };
  const double all = sum(total) + sum(more);
  total["count"] = total["count"].get<std::int64_t>() + more["count"].get<std::int64_t>();
  total["mean"] = all / total["count"].get<double>();
  total["max"] = std::max(total["max"].get<std::int64_t>(), more["max"].get<std::int64_t>());
}

void add_wait(Json& total, const Json& one) {
  const auto given = one.find("ms");
  if (given == one.end() || !given->is_number_integer()) return;
  const auto ms = given->get<std::int64_t>();
  add_waits(total, {{"count", 1}, {"mean", static_cast<double>(ms)}, {"max", ms}});
}

/// How the model's responses ended: counts by status, and the last reason that was given. How long
/// the client waited for their first audio.
Json responses_of(const Json& list) {
  Json shown = {{"by_status", Json::object()}, {"last_reason", nullptr}};
  for (const Json& one : relays_own(list, "verbatim_responses")) shown.update(one);
  Json& waits = shown["first_audio_ms"] = nullptr;
  for (const Json& one : relays_own(list, "verbatim_first_audio")) add_wait(waits, one);
  return shown;
}

void add_responses(Json& total, const Json& one) {
  add_usage(total["by_status"], one["by_status"]);
  if (!one["last_reason"].is_null()) total["last_reason"] = one["last_reason"];
  add_waits(total["first_audio_ms"], one["first_audio_ms"]);
}

/// The usage of each response that reported one, with its id.
Json answers_of(const Json& list) {
  Json shown = Json::array();
  std::string response_id;
  for (const Json& one : list) {
    if (!one.is_object()) continue;
    if (const auto owner = one.find("verbatim_usage_of"); owner != one.end()) {
      response_id = owner->is_object() ? owner->value("response_id", "") : std::string();
    } else if (!response_id.empty()) {
      shown.push_back({{"response_id", response_id}, {"usage", one}});
      response_id.clear();
    }
  }
  return shown;
}

/// Losses, errors and changes of settings, oldest first.
Json incidents_of(const Json& list) {
  Json shown = Json::array();
  for (const Json& one : relays_own(list, "verbatim_incident")) {
    const auto at = one.find("at");
    if (at == one.end() || !at->is_number_integer()) continue;
    shown.push_back({{"kind", one.value("kind", "")},
                     {"at", iso_time(at->get<TimeMs>())},
                     {"why", or_null(one.value("why", ""))}});
  }
  return shown;
}

/// The provider's own name for the session: its support asks for it.
Json provider_of(const Json& list) {
  Json shown = {{"session_id", nullptr}};
  for (const Json& one : relays_own(list, "verbatim_provider")) shown.update(one);
  return shown;
}

Json to_json(const store::AttemptSummary& attempt, Detail detail) {
  const Json list = parsed(attempt.usage_json, Json::array());
  Json shown = {
      {"attempt", attempt.number},
      {"status", transcript::to_string(attempt.status)},
      {"started_at", iso_time(attempt.started_at)},
      {"ended_at", time_or_null(attempt.ended_at)},
      {"close_reason",
       attempt.close_reason ? Json(transcript::to_string(*attempt.close_reason)) : Json()},
      {"complete", attempt.complete},
      {"model", attempt.model},
      {"turns", attempt.turns},
      {"first_words", or_null(attempt.first_words)},
      {"usage", usage_of(list, attempt.usage_json)},
      {"responses", responses_of(list)},
      {"provider", provider_of(list)}};
  if (detail == Detail::whole) {
    shown["answers"] = answers_of(list);
    shown["incidents"] = incidents_of(list);
  }
  if (attempt.tail_pending) shown["tail_pending"] = "node";
  if (attempt.receipt) shown["receipt"] = Json::parse(transcript::render_receipt(*attempt.receipt));
  return shown;
}

/// Whether there is recorded audio, and until when it is kept.
Json recording_of(const store::SessionSummary& session, const RecordingKept& kept) {
  auto recorded = store::Recorded::no;
  bool removed = kept.until_complete;
  for (const store::AttemptSummary& one : session.attempts) {
    recorded = std::max(recorded, one.recorded);
    if (one.recorded != store::Recorded::no) removed &= one.ended_at.has_value() && one.complete;
  }
  Json shown = {{"state", "none"}, {"until", nullptr}};
  if (recorded == store::Recorded::no) return shown;
  const store::AttemptSummary& latest = session.attempts.back();
  const std::optional<TimeMs> ended_at = latest.ended_at;
  const bool goes_on = !ended_at && latest.recorded == store::Recorded::yes;
  shown["state"] = goes_on                                ? "recording"
                   : recorded == store::Recorded::stopped ? "stopped"
                                                          : "kept";
  if (removed) shown["state"] = "expired";
  if (!ended_at || kept.retention.count() == 0) return shown;
  shown["until"] = iso_time(*ended_at + kept.retention.count());
  if (*ended_at + kept.retention.count() <= now().wall) shown["state"] = "expired";
  return shown;
}

/// The text may hold half of a surrogate pair; dump() replaces it.
void add_hit(Json& shown, const std::optional<store::SearchHit>& hit) {
  shown["snippet"] = hit ? Json(hit->snippet) : Json(nullptr);
  shown["match"] = !hit ? Json(nullptr)
                        : Json{{"attempt", hit->attempt},
                               {"ordinal", hit->ordinal},
                               {"role", transcript::to_string(hit->role)},
                               {"words", hit->words}};
}

Json only(const Json& whole, const std::vector<std::string>& fields) {
  if (fields.empty()) return whole;
  Json part = Json::object();
  for (const std::string& field : fields)
    if (const auto found = whole.find(field); found != whole.end()) part[field] = *found;
  return part;
}

}  // namespace

std::span<const std::string_view> listed_members() {
  static constexpr std::string_view names[] = {
      "id",           "user",        "status",   "created_at", "ended_at", "close_reason",
      "complete",     "turns",       "usage",    "responses",  "attempt",  "current_attempt",
      "metadata",     "private",     "attempts", "snippet",    "match",    "provider",
      "tail_pending", "first_words", "recording"};
  return names;
}

RecordingKept recording_kept(const config::Recording& settings) {
  return {settings.retention, settings.delete_when == config::DeleteWhen::complete};
}

Json to_json(const store::SessionPage& page, const std::vector<std::string>& fields,
             const RecordingKept& recording_kept) {
  Json sessions = Json::array();
  for (std::size_t i = 0; i < page.sessions.size(); ++i) {
    Json shown = to_json(page.sessions[i], Detail::listed, recording_kept);
    if (i < page.hits.size()) add_hit(shown, page.hits[i]);
    sessions.push_back(only(shown, fields));
  }
  Json shown = {{"sessions", std::move(sessions)}, {"next_cursor", or_null(page.next_cursor)}};
  if (page.total) {
    shown["total"] = *page.total;
    shown["total_is_exact"] = page.total_is_exact;
  }
  return shown;
}

Json to_json(const store::SessionSummary& session, Detail detail,
             const RecordingKept& recording_kept) {
  Json attempts = Json::array();
  for (const auto& attempt : session.attempts) attempts.push_back(to_json(attempt, detail));
  const bool any = !session.attempts.empty();
  Json usage = any ? attempts.front()["usage"] : usage_of(Json::array(), "[]");
  Json responses = any ? attempts.front()["responses"] : responses_of(Json::array());
  for (std::size_t i = 1; i < attempts.size(); ++i) {
    add_usage(usage, attempts[i]["usage"]);
    add_responses(responses, attempts[i]["responses"]);
  }
  Json shown = {{"id", session.id},
                {"user", session.user},
                {"status", transcript::to_string(session.status)},
                {"created_at", iso_time(session.created_at)},
                {"ended_at", any ? attempts.back()["ended_at"] : Json()},
                {"close_reason", any ? attempts.back()["close_reason"] : Json()},
                {"complete", any ? attempts.back()["complete"] : Json(false)},
                {"turns", any ? attempts.back()["turns"] : Json(0)},
                {"first_words", any ? attempts.back()["first_words"] : Json()},
                {"usage", usage},
                {"responses", responses},
                {"provider", any ? attempts.back()["provider"] : provider_of(Json::array())},
                {"attempt", any ? attempts.back()["attempt"] : Json(1)},
                {"current_attempt", any ? attempts.back()["attempt"] : Json(0)},
                {"recording", recording_of(session, recording_kept)},
                {"metadata", parsed(session.metadata_json, Json::object())},
                {"private", parsed(session.private_json, Json::object())},
                {"attempts", attempts}};
  for (const char* const name : {"receipt", "tail_pending"})
    if (any && attempts.back().contains(name)) shown[name] = attempts.back()[name];
  return shown;
}

}  // namespace verbatim::api
