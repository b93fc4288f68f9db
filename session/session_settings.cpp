#include "session/session_settings.hpp"

#include "session/json_tree.hpp"
#include "session/json_view.hpp"

namespace verbatim::session {

namespace {

using json::Kind;
using json::View;

View turn_detection(View session) {
  const View nested = session["audio"]["input"]["turn_detection"];
  return nested.exists() ? nested : session["turn_detection"];
}

}  // namespace

SessionSettings SessionSettings::from_json(std::string text) {
  SessionSettings settings;
  if (View::of(text).is(Kind::object)) settings.json_ = std::move(text);
  return settings;
}

void SessionSettings::see(std::string_view message) {
  const View session = View::of(message)["session"];
  if (session.is(Kind::object)) json_ = std::string(session.raw());
}

std::string SessionSettings::created_message(std::string_view event_id) const {
  // The session as it came, in a frame of our own: no parser between.
  const std::string session = json_.empty() ? R"({"type":"realtime"})" : json_;
  return R"({"type":"session.created","event_id":")" + std::string(event_id) + R"(","session":)" +
         session + "}";
}

std::string SessionSettings::update_message(std::string_view event_id) const {
  auto session = nlohmann::json::parse(json_, nullptr, /*allow_exceptions=*/false);
  if (!session.is_object()) return {};
  // The model is the connection's; the others name the old session.
  for (const char* fixed : {"id", "object", "expires_at", "model", "client_secret"})
    session.erase(fixed);
  if (!session.contains("type")) session["type"] = "realtime";
  return dump({{"type", "session.update"}, {"event_id", event_id}, {"session", session}});
}

bool SessionSettings::detects_turns() const {
  return turn_detection(View::of(json_)).is(Kind::object);
}

bool SessionSettings::answers_by_itself() const {
  return detects_turns() &&
         turn_detection(View::of(json_))["create_response"].boolean().value_or(true);
}

bool SessionSettings::speaks() const {
  const View session = View::of(json_);
  const View modalities =
      session["output_modalities"].exists() ? session["output_modalities"] : session["modalities"];
  bool any = false;
  for (json::Elements one(modalities); one.next(); any = true)
    if (one.value().between_quotes() == "audio") return true;
  return !any;
}

}  // namespace verbatim::session
