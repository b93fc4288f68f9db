#include "session/protocol/session_settings.hpp"

#include <array>
#include <span>

#include "base/json/dump.hpp"
#include "base/json/view.hpp"
#include "base/json/writer.hpp"

namespace verbatim::session {

namespace {

using json::Kind;
using json::View;

View turn_detection(View session) {
  const View nested = session["audio"]["input"]["turn_detection"];
  return nested.exists() ? nested : session["turn_detection"];
}

using Path = std::span<const std::string_view>;

constexpr std::array<std::string_view, 4> transcription_path = {"session", "audio", "input",
                                                                "transcription"};
constexpr std::array<std::string_view, 2> beta_transcription_path = {"session",
                                                                     "input_audio_transcription"};

/// The object with the value at `path` replaced, all other bytes unchanged. Precondition: the path
/// exists.
std::string replaced(View object, Path path, std::string_view value) {
  json::ObjectWriter out;
  for (json::Members members(object); members.next();) {
    if (members.key() != path.front()) {
      out.add(members.key(), members.value().raw());
    } else if (path.size() == 1) {
      out.add(members.key(), value);
    } else {
      out.add(members.key(), replaced(members.value(), path.subspan(1), value));
    }
  }
  return out.text();
}

View at(View object, Path path) {
  for (const std::string_view name : path) object = object[name];
  return object;
}

}  // namespace

SessionSettings SessionSettings::from_json(std::string text) {
  SessionSettings settings;
  const View view = View::of(text);
  if (const auto hides = view["hides_transcription"].boolean())
    settings.hides_transcription_ = *hides;
  const View inside = view["session"];
  if (inside.is(Kind::object)) {
    settings.json_ = std::string(inside.raw());
  } else if (view.is(Kind::object)) {
    settings.json_ = std::move(text);
  }
  return settings;
}

std::string SessionSettings::to_json() const {
  if (json_.empty() || !hides_transcription_) return json_;
  const char* const hides = *hides_transcription_ ? "true" : "false";
  return std::string(R"({"hides_transcription":)") + hides + R"(,"session":)" + json_ + "}";
}

std::optional<std::string> SessionSettings::without_transcription(std::string_view message) const {
  if (!hides_transcription()) return std::nullopt;
  for (const Path path : {Path(transcription_path), Path(beta_transcription_path)}) {
    const View shown = at(View::of(message), path);
    if (shown.exists() && !shown.is(Kind::null)) return replaced(View::of(message), path, "null");
  }
  return std::nullopt;
}

void SessionSettings::see(std::string_view message) {
  const View session = View::of(message)["session"];
  if (session.is(Kind::object)) json_ = std::string(session.raw());
}

std::string SessionSettings::created_message(std::string_view event_id) const {
  // The session's original bytes inside a new frame, without a parser.
  const std::string session = json_.empty() ? R"({"type":"realtime"})" : json_;
  std::string message = R"({"type":"session.created","event_id":")" + std::string(event_id) +
                        R"(","session":)" + session + "}";
  auto veiled = without_transcription(message);
  return veiled ? *std::move(veiled) : message;
}

std::string SessionSettings::update_message(std::string_view event_id) const {
  auto session = nlohmann::json::parse(json_, nullptr, /*allow_exceptions=*/false);
  if (!session.is_object()) return {};
  // The connection sets the model; the others belong to the old session.
  for (const char* fixed : {"id", "object", "expires_at", "model", "client_secret"})
    session.erase(fixed);
  if (!session.contains("type")) session["type"] = "realtime";
  return dump({{"type", "session.update"}, {"event_id", event_id}, {"session", session}});
}

bool SessionSettings::transcribes() const {
  return View::of(json_)["type"].between_quotes() == "transcription";
}

bool SessionSettings::detects_turns() const {
  return turn_detection(View::of(json_)).is(Kind::object);
}

bool SessionSettings::answers_by_itself() const {
  return detects_turns() && !transcribes() &&
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
