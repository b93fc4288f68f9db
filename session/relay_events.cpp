#include "session/relay_events.hpp"

#include "base/assert.hpp"
#include "base/json/dump.hpp"
#include "base/json/view.hpp"

namespace verbatim::session {

namespace {

/// The members of a configuration that a transcription session accepts. Precondition: `session` is
/// an object.
nlohmann::json for_transcription(const nlohmann::json& session) {
  VERBATIM_EXPECTS(session.is_object());
  nlohmann::json kept = nlohmann::json::object();
  const auto input = session.find("audio");
  if (input != session.end() && input->is_object() && input->contains("input"))
    kept["audio"] = {{"input", (*input)["input"]}};
  if (session.contains("include")) kept["include"] = session["include"];
  return kept;
}

nlohmann::json update_event(nlohmann::json session, SessionType type, std::string_view event_id) {
  if (type == SessionType::transcription) {
    session["type"] = "transcription";
  } else if (!session.contains("type")) {
    session["type"] = "realtime";
  }
  return nlohmann::json{
      {"type", "session.update"}, {"event_id", event_id}, {"session", std::move(session)}};
}

}  // namespace

bool is_own_request(std::string_view event_id) {
  return event_id == configure_event_id || event_id == transcription_event_id ||
         event_id == commit_event_id || event_id == response_event_id ||
         event_id.starts_with(rebuilt_item_prefix);
}

std::string configuration_update(std::string_view config_json, std::string_view transcription_model,
                                 SessionType type) {
  if (config_json.empty()) return {};
  nlohmann::json session = nlohmann::json::parse(config_json, nullptr, /*allow_exceptions=*/false);
  if (session.is_object() && type == SessionType::transcription)
    session = for_transcription(session);
  if (!session.is_object() || session.empty()) return {};
  if (!transcription_model.empty()) {
    nlohmann::json& input = session["audio"]["input"];
    if (!input.contains("transcription") || input["transcription"].is_null())
      input["transcription"] = {{"model", transcription_model}};
  }
  return update_event(std::move(session), type, configure_event_id).dump();
}

bool binds_settings(std::string_view config_json) {
  for (json::Members members(json::View::of(config_json)); members.next();)
    if (members.key() != "type") return true;
  return false;
}

std::string transcription_update(std::string_view transcription_model, SessionType type) {
  const nlohmann::json input = {{"transcription", {{"model", transcription_model}}}};
  return update_event({{"audio", {{"input", input}}}}, type, transcription_event_id).dump();
}

std::string commit_event() {
  return nlohmann::json{{"type", "input_audio_buffer.commit"}, {"event_id", commit_event_id}}
      .dump();
}

std::string response_event() {
  return nlohmann::json{{"type", "response.create"}, {"event_id", response_event_id}}.dump();
}

std::string truncated_event(const std::string& item_id, int content_index,
                            std::int64_t audio_end_ms, std::string_view event_id) {
  return nlohmann::json{{"type", "conversation.item.truncated"},
                        {"event_id", event_id},
                        {"item_id", item_id},
                        {"content_index", content_index},
                        {"audio_end_ms", audio_end_ms}}
      .dump(-1, ' ', false, nlohmann::json::error_handler_t::replace);
}

std::string deleted_event(const std::string& item_id, std::string_view event_id) {
  return dump(
      {{"type", "conversation.item.deleted"}, {"event_id", event_id}, {"item_id", item_id}});
}

std::string retrieved_event(std::string_view item, std::string_view event_id) {
  std::string event = R"({"type":"conversation.item.retrieved","event_id":)";
  event += dump(nlohmann::json(event_id));
  return event.append(R"(,"item":)").append(item) += '}';
}

std::string to_json(const ErrorEvent& error, std::string_view event_id) {
  return nlohmann::json{{"type", "error"},
                        {"event_id", event_id},
                        {"error",
                         {{"type", error.type},
                          {"code", or_null(error.code)},
                          {"message", error.message},
                          {"param", or_null(error.param)},
                          {"event_id", or_null(error.client_event_id)}}}}
      .dump(-1, ' ', false, nlohmann::json::error_handler_t::replace);
}

std::string session_event(const std::string& session_id, int attempt, std::int64_t resume_window_ms,
                          const ResumeInfo& resume) {
  return nlohmann::json{
      {"type", "verbatim.session"}, {"event_id", std::string(own_event_prefix) + session_id},
      {"session_id", session_id},   {"attempt", attempt},
      {"resumed", resume.resumed},  {"replayed", resume.replayed},
      {"after", resume.after},      {"resume_window_ms", resume_window_ms}}
      .dump();
}

std::string upstream_event(std::string_view state, std::string_view reason,
                           std::string_view event_id) {
  return nlohmann::json{
      {"type", "verbatim.upstream"},
      {"event_id", event_id},
      {"state", state},
      {"reason", reason.empty() ? nlohmann::json(nullptr) : nlohmann::json(reason)}}
      .dump();
}

std::string restored_event(const Rebuild& rebuild, std::string_view event_id) {
  const auto list = [](const std::vector<Rebuild::Missing>& items) {
    nlohmann::json all = nlohmann::json::array();
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

std::string turn_event(const Turn& turn, std::string_view event_id) {
  return nlohmann::json{{"type", "verbatim.turn"},          {"event_id", event_id},
                        {"item_id", turn.item_id},          {"role", to_string(turn.role)},
                        {"status", to_string(turn.status)}, {"ordinal", turn.ordinal}}
      .dump(-1, ' ', false, nlohmann::json::error_handler_t::replace);
}

std::string ending_event(const std::string& session_id, CloseReason reason, std::int64_t in_ms,
                         std::string_view event_id) {
  return nlohmann::json{{"type", "verbatim.ending"},
                        {"event_id", event_id},
                        {"session_id", session_id},
                        {"close_reason", to_string(reason)},
                        {"in_ms", in_ms}}
      .dump();
}

std::string limit_event(const std::string& session_id, const Budget::Notice& near,
                        std::string_view event_id) {
  nlohmann::json event{{"type", "verbatim.ending"},
                       {"event_id", event_id},
                       {"session_id", session_id},
                       {"close_reason", to_string(close_reason(near.limit))},
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

std::string ended_event(const std::string& session_id, CloseReason reason,
                        std::string_view event_id) {
  return nlohmann::json{{"type", "verbatim.ended"},
                        {"event_id", event_id},
                        {"session_id", session_id},
                        {"close_reason", to_string(reason)}}
      .dump();
}

}  // namespace verbatim::session
