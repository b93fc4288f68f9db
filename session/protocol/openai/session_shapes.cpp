#include "session/protocol/openai/session_shapes.hpp"

#include <array>
#include <span>

#include "base/assert.hpp"
#include "base/json/dump.hpp"
#include "base/json/view.hpp"
#include "base/json/writer.hpp"
#include "session/protocol/openai/audio_format.hpp"

namespace verbatim::protocol {

namespace {

using json::Kind;
using json::View;

// ---- Reading ----

View turn_detection(View session) {
  const View nested = session["audio"]["input"]["turn_detection"];
  return nested.exists() ? nested : session["turn_detection"];
}

View transcription_of(View session) {
  const View nested = session["audio"]["input"]["transcription"];
  return nested.exists() ? nested : session["input_audio_transcription"];
}

std::string transcription_model_of(View session) {
  const View nested = session["audio"]["input"]["transcription"]["model"];
  const View model = nested.exists() ? nested : session["input_audio_transcription"]["model"];
  return model.string_or_empty();
}

bool has_spoken_answers(View session) {
  const View modalities =
      session["output_modalities"].exists() ? session["output_modalities"] : session["modalities"];
  bool any = false;
  for (json::Elements one(modalities); one.next(); any = true)
    if (one.value().between_quotes() == "audio") return true;
  return !any;
}

std::optional<std::int64_t> rate_of(View nested, View flat) {
  if (!nested.exists() && !flat.exists()) return std::nullopt;
  return bytes_per_second(nested.exists() ? nested : flat);
}

std::optional<transcript::AudioFormat> format_of(View nested, View flat) {
  if (!nested.exists() && !flat.exists()) return std::nullopt;
  return audio_format(nested.exists() ? nested : flat);
}

AudioFormats formats_of(View session) {
  const View audio = session["audio"];
  const View input = audio["input"]["format"];
  const View output = audio["output"]["format"];
  const View flat_input = session["input_audio_format"];
  const View flat_output = session["output_audio_format"];
  return {rate_of(input, flat_input), rate_of(output, flat_output),
          audio.exists() || flat_output.exists(), format_of(input, flat_input),
          format_of(output, flat_output)};
}

// ---- Rewriting ----

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

// ---- Writing ----

/// The members of a configuration that a transcription session accepts. Precondition: `session` is
/// an object.
Json for_transcription(const Json& session) {
  VERBATIM_EXPECTS(session.is_object());
  Json kept = Json::object();
  const auto input = session.find("audio");
  if (input != session.end() && input->is_object() && input->contains("input"))
    kept["audio"] = {{"input", (*input)["input"]}};
  if (session.contains("include")) kept["include"] = session["include"];
  return kept;
}

Json update_event(Json session, SessionType type, std::string_view event_id) {
  if (type == SessionType::transcription) {
    session["type"] = "transcription";
  } else if (!session.contains("type")) {
    session["type"] = "realtime";
  }
  return Json{{"type", "session.update"}, {"event_id", event_id}, {"session", std::move(session)}};
}

}  // namespace

std::string_view session_in(std::string_view message) { return View::of(message)["session"].raw(); }

SessionFacts read_session(std::string_view session_json) {
  const View session = View::of(session_json);
  const View transcription = transcription_of(session);
  const View detection = turn_detection(session);
  SessionFacts facts;
  facts.transcribes = session["type"].between_quotes() == "transcription";
  if (transcription.exists()) facts.wants_transcription = !transcription.is(Kind::null);
  facts.transcription_model = transcription_model_of(session);
  facts.detects_turns = detection.is(Kind::object);
  facts.answers_by_itself = facts.detects_turns && !facts.transcribes &&
                            detection["create_response"].boolean().value_or(true);
  facts.speaks = has_spoken_answers(session);
  facts.formats = formats_of(session);
  return facts;
}

std::string with_session(std::string_view message, std::string_view session_json) {
  json::ObjectWriter out;
  for (json::Members members(View::of(message)); members.next();)
    out.add(members.key(), members.key() == "session" ? session_json : members.value().raw());
  return out.text();
}

std::optional<std::string> without_transcription(std::string_view message) {
  for (const Path path : {Path(transcription_path), Path(beta_transcription_path)}) {
    const View shown = at(View::of(message), path);
    if (shown.exists() && !shown.is(Kind::null)) return replaced(View::of(message), path, "null");
  }
  return std::nullopt;
}

std::string session_created_event(std::string_view session_json, std::string_view event_id) {
  // The session's original bytes inside a new frame, without a parser.
  std::string message =
      R"({"type":"session.created","event_id":")" + std::string(event_id) + R"(","session":)";
  return message.append(session_json.empty() ? R"({"type":"realtime"})" : session_json) += '}';
}

std::string restoring_update(std::string_view session_json, std::string_view event_id) {
  auto session = Json::parse(session_json, nullptr, /*allow_exceptions=*/false);
  if (!session.is_object()) return {};
  // The connection sets the model; the others belong to the old session.
  for (const char* fixed : {"id", "object", "expires_at", "model", "client_secret"})
    session.erase(fixed);
  if (!session.contains("type")) session["type"] = "realtime";
  return dump({{"type", "session.update"}, {"event_id", event_id}, {"session", session}});
}

std::string configuration_update(std::string_view session_json,
                                 std::string_view transcription_model, SessionType type,
                                 std::string_view event_id) {
  if (session_json.empty()) return {};
  Json session = Json::parse(session_json, nullptr, /*allow_exceptions=*/false);
  if (session.is_object() && type == SessionType::transcription)
    session = for_transcription(session);
  if (!session.is_object() || session.empty()) return {};
  if (!transcription_model.empty()) {
    Json& input = session["audio"]["input"];
    if (!input.contains("transcription") || input["transcription"].is_null())
      input["transcription"] = {{"model", transcription_model}};
  }
  return update_event(std::move(session), type, event_id).dump();
}

std::string transcription_update(std::string_view transcription_model, SessionType type,
                                 std::string_view event_id) {
  const Json input = {{"transcription", {{"model", transcription_model}}}};
  return update_event({{"audio", {{"input", input}}}}, type, event_id).dump();
}

}  // namespace verbatim::protocol
