#include "server/api/routes.hpp"

#include <algorithm>

namespace verbatim::api {

namespace handlers {

// Declared here alone, so that a new route needs no header and rebuilds this file and its own. A
// function that is not defined in this form does not link.
// bulk.cpp
Handler erase_sessions, export_sessions;
// captured.cpp
Handler show_captured, start_capture;
// client_secrets.cpp
Handler create_beta_session, create_client_secret, list_client_secrets, revoke_client_secret;
// compatible.cpp
Handler create_session_compatible, post_transcript_compatible, show_assignment_compatible;
// fleet.cpp
Handler show_fleet;
// events.cpp
Handler watch_session;
// live_list.cpp
Handler watch_sessions;
// operator.cpp
Handler health, openapi, ready, show_configuration, show_metrics, version;
// pages.cpp
Handler show_page, show_reference;
// realtime.cpp
Handler explain_upgrade;
// sessions.cpp
Handler create_session, erase_session, list_sessions, patch_session, show_session;
// recording.cpp, recording_peaks.cpp
Handler show_recording, show_recording_peaks;
// repair.cpp
Handler repair_session;
// retention.cpp
Handler apply_retention, show_retention;
// session_end.cpp
Handler end_session;
// transcripts.cpp
Handler post_transcript, show_transcript;
// webhooks.cpp
Handler list_deliveries, retry_delivery;

}  // namespace handlers

std::span<const Route> all_routes() {
  using enum RequiredCredential;
  using namespace handlers;
  static constexpr Route routes[] = {
      {"GET", "/v1/realtime", none, explain_upgrade},
      {"POST", "/v1/realtime/client_secrets", back_end, create_client_secret},
      {"POST", "/v1/realtime/sessions", back_end, create_beta_session},
      {"GET", "/v1/client_secrets", back_end, list_client_secrets},
      {"DELETE", "/v1/client_secrets/{id}", back_end, revoke_client_secret},
      {"GET", "/v1/retention", back_end, show_retention},
      {"POST", "/v1/retention", back_end, apply_retention},
      {"GET", "/v1/sessions", back_end, list_sessions},
      {"GET", "/v1/live", back_end, watch_sessions},
      {"GET", "/v1/exports", back_end, export_sessions},
      {"POST", "/v1/erasures", back_end, erase_sessions},
      {"GET", "/v1/sessions/{id}", back_end_or_own_session, show_session, true, true},
      {"GET", "/v1/sessions/{id}/transcript", back_end_or_own_session, show_transcript, true, true},
      {"GET", "/v1/sessions/{id}/events", back_end_or_own_session, watch_session, true, true},
      {"GET", "/v1/sessions/{id}/captured", back_end, show_captured, true},
      {"POST", "/v1/sessions/{id}/captured", back_end, start_capture, true},
      {"GET", "/v1/sessions/{id}/recording", back_end, show_recording, true},
      {"GET", "/v1/sessions/{id}/recording/peaks", back_end, show_recording_peaks, true},
      {"DELETE", "/v1/sessions/{id}", back_end, erase_session, true},
      {"POST", "/v1/sessions", back_end, create_session},
      {"PATCH", "/v1/sessions/{id}", back_end, patch_session, true},
      {"POST", "/v1/sessions/{id}/end", back_end, end_session, true},
      {"POST", "/v1/sessions/{id}/repair", back_end, repair_session, true},
      {"POST", "/v1/sessions/{id}/transcript", back_end_or_own_session, post_transcript, true,
       true},
      {"GET", "/v1/webhooks/deliveries", back_end, list_deliveries},
      {"POST", "/v1/webhooks/deliveries/{id}/retry", back_end, retry_delivery},
      {"POST", "/api/sessions/{id}/transcript", back_end_or_own_session, post_transcript_compatible,
       true, true},
      {"POST", "/api/internal/sessions/{id}/transcript", internal_service,
       post_transcript_compatible, true, true},
      {"POST", "/api/internal/sessions", internal_service, create_session_compatible},
      {"GET", "/api/external/assignments/{id}/transcript", back_end, show_assignment_compatible},
      {"GET", "/v1/config", back_end, show_configuration},
      {"GET", "/v1/fleet", back_end, show_fleet},
      {"GET", "/healthz", none, health},
      {"GET", "/readyz", none, ready},
      {"GET", "/metrics", none, show_metrics},
      {"GET", "/version", none, version},
      {"GET", "/openapi.json", none, openapi},
      {"GET", "/docs/api", none, show_reference},
      {"GET", "/docs/{id}", none, show_page},
      {"GET", "/", none, show_page},
      {"GET", "/console/{id}", none, show_page},
      {"GET", "/examples", none, show_page},
      {"GET", "/examples/{id}", none, show_page},
      {"GET", "/web/{id}", none, show_page},
      {"GET", "/web/v1/{id}", none, show_page},
  };
  return routes;
}

// Both paths are short, so a walk by segment is enough.
bool Route::has_path(std::string_view asked, std::string& id) const {
  std::string_view pattern = path;
  while (!pattern.empty() && !asked.empty()) {
    const std::size_t pattern_end = std::min(pattern.find('/', 1), pattern.size());
    const std::size_t asked_end = std::min(asked.find('/', 1), asked.size());
    if (pattern.substr(0, pattern_end) == "/{id}") {
      if (asked_end < 2) return false;
      id = std::string(asked.substr(1, asked_end - 1));
    } else if (pattern.substr(0, pattern_end) != asked.substr(0, asked_end)) {
      return false;
    }
    pattern.remove_prefix(pattern_end);
    asked.remove_prefix(asked_end);
  }
  return pattern.empty() && asked.empty();
}

const Route* find_route(std::string_view method, std::string_view path, std::string& id) {
  for (const Route& route : all_routes()) {
    std::string segment;
    if (method != route.method || !route.has_path(path, segment)) continue;
    id = std::move(segment);
    return &route;
  }
  return nullptr;
}

std::vector<std::string_view> route_patterns() {
  std::vector<std::string_view> patterns;
  for (const Route& route : all_routes())
    if (std::find(patterns.begin(), patterns.end(), route.path) == patterns.end())
      patterns.emplace_back(route.path);
  return patterns;
}

std::string_view pattern_of(std::string_view path) {
  for (const Route& route : all_routes()) {
    std::string id;
    if (route.has_path(path, id)) return route.path;
  }
  return {};
}

std::string methods_of(std::string_view path) {
  std::string methods;
  for (const Route& route : all_routes()) {
    std::string id;
    if (!route.has_path(path, id)) continue;
    methods += std::string(route.method) + ", ";
    if (methods.ends_with("GET, ")) methods += "HEAD, ";
  }
  return methods.empty() ? methods : methods + "OPTIONS";
}

}  // namespace verbatim::api
