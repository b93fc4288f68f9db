#include "session/relay_events.hpp"

#include "base/json/dump.hpp"
#include "base/json/view.hpp"

namespace verbatim::session {

bool is_own_request(std::string_view event_id) {
  return event_id == configure_event_id || event_id == transcription_event_id ||
         event_id == commit_event_id || event_id == response_event_id ||
         event_id.starts_with(rebuilt_item_prefix);
}

bool binds_settings(std::string_view config_json) {
  for (json::Members members(json::View::of(config_json)); members.next();)
    if (members.key() != "type") return true;
  return false;
}

std::string session_event(const std::string& session_id, int attempt, std::int64_t resume_window_ms,
                          const ResumeInfo& resume, bool recording) {
  return Json{
      {"type", "verbatim.session"}, {"event_id", std::string(own_event_prefix) + session_id},
      {"session_id", session_id},   {"attempt", attempt},
      {"resumed", resume.resumed},  {"replayed", resume.replayed},
      {"after", resume.after},      {"resume_window_ms", resume_window_ms},
      {"recording", recording}}
      .dump();
}

std::string upstream_event(std::string_view state, std::string_view reason,
                           std::string_view event_id) {
  return Json{{"type", "verbatim.upstream"},
              {"event_id", event_id},
              {"state", state},
              {"reason", reason.empty() ? Json(nullptr) : Json(reason)}}
      .dump();
}

std::string restored_event(const Rebuild& rebuild, std::string_view event_id) {
  const auto list = [](const std::vector<Rebuild::Missing>& items) {
    Json all = Json::array();
    for (const Rebuild::Missing& one : items)
      all.push_back({{"item_id", one.item_id}, {"why", one.why}});
    return all;
  };
  return dump({{"type", "verbatim.upstream"},
               {"event_id", event_id},
               {"state", "restored"},
               {"reason", nullptr},
               {"left_out", list(rebuild.left_out)},
               {"refused", list(rebuild.refused)}});
}

std::string turn_event(const transcript::Turn& turn, std::string_view event_id) {
  return Json{{"type", "verbatim.turn"},
              {"event_id", event_id},
              {"item_id", turn.item_id},
              {"role", transcript::to_string(turn.role)},
              {"status", transcript::to_string(turn.status)},
              {"ordinal", turn.ordinal}}
      .dump(-1, ' ', false, Json::error_handler_t::replace);
}

std::string ending_event(const std::string& session_id, transcript::CloseReason reason,
                         std::int64_t in_ms, std::string_view event_id) {
  return Json{{"type", "verbatim.ending"},
              {"event_id", event_id},
              {"session_id", session_id},
              {"close_reason", transcript::to_string(reason)},
              {"in_ms", in_ms}}
      .dump();
}

std::string limit_event(const std::string& session_id, const Budget::Notice& near,
                        std::string_view event_id) {
  Json event{{"type", "verbatim.ending"},
             {"event_id", event_id},
             {"session_id", session_id},
             {"close_reason", transcript::to_string(close_reason(near.limit))},
             {"limit", to_string(near.limit)}};
  const bool clock = near.limit == Limit::max_duration || near.limit == Limit::idle_timeout;
  const bool audio = near.limit == Limit::audio_seconds || near.limit == Limit::user_audio_seconds;
  if (clock) {
    event["in_ms"] = near.most - near.used;
  } else {
    event["used"] = audio ? near.used / 1000 : near.used;
    event["max"] = audio ? near.most / 1000 : near.most;
  }
  return event.dump();
}

std::string ended_event(const std::string& session_id, transcript::CloseReason reason,
                        std::string_view event_id, std::string_view detail) {
  Json event{{"type", "verbatim.ended"},
             {"event_id", event_id},
             {"session_id", session_id},
             {"close_reason", transcript::to_string(reason)}};
  if (!detail.empty()) event["detail"] = detail;
  return dump(event);
}

}  // namespace verbatim::session
