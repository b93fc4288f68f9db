#include "server/summaries.hpp"

#include <nlohmann/json.hpp>

namespace verbatim::server {

namespace {

using nlohmann::json;

json parsed(const std::string& text, json fallback) {
  json value = json::parse(text, nullptr, false);
  return value.is_discarded() ? fallback : value;
}

json time_or_null(const std::optional<session::TimeMs>& time) {
  return time ? json(session::iso_time(*time)) : json(nullptr);
}

// The provider's usage objects, added up: numbers are summed, whatever their names.
void add_usage(json& total, const json& one) {
  for (const auto& [key, value] : one.items()) {
    if (value.is_number_integer()) {
      total[key] = total.value(key, std::int64_t{0}) + value.get<std::int64_t>();
    } else if (value.is_object()) {
      if (!total[key].is_object()) total[key] = json::object();
      add_usage(total[key], value);
    }
  }
}

json to_json(const storage::AttemptSummary& attempt) {
  json usage = json::object();
  for (const json& one : parsed(attempt.usage_json, json::array())) {
    if (one.is_object()) add_usage(usage, one);
  }
  return {{"attempt", attempt.number},
          {"status", to_string(attempt.status)},
          {"started_at", session::iso_time(attempt.started_at)},
          {"ended_at", time_or_null(attempt.ended_at)},
          {"close_reason", attempt.close_reason ? json(to_string(*attempt.close_reason)) : json()},
          {"complete", attempt.complete},
          {"model", attempt.model},
          {"turns", attempt.turns},
          {"usage", usage}};
}

}  // namespace

json to_json(const storage::SessionSummary& session) {
  json attempts = json::array();
  for (const auto& attempt : session.attempts) attempts.push_back(to_json(attempt));
  const bool any = !session.attempts.empty();
  return {{"id", session.id},
          {"user", session.user},
          {"status", to_string(session.status)},
          {"created_at", session::iso_time(session.created_at)},
          {"ended_at", any ? attempts.back()["ended_at"] : json()},
          {"close_reason", any ? attempts.back()["close_reason"] : json()},
          {"complete", any ? attempts.back()["complete"] : json(false)},
          {"turns", any ? attempts.back()["turns"] : json(0)},
          {"usage", any ? attempts.back()["usage"] : json::object()},
          {"current_attempt", any ? attempts.back()["attempt"] : json(0)},
          {"metadata", parsed(session.metadata_json, json::object())},
          {"attempts", attempts}};
}

}  // namespace verbatim::server
