// Updates of the session's settings, by the relay or by a client, and the provider's answers.
#pragma once

#include <algorithm>

#include "tests/session/rebuild.hpp"

namespace verbatim::session::test {

inline Json session_with(const Json& transcription, const std::string& voice = "alloy") {
  return {
      {"type", "realtime"},
      {"id", "sess_p"},
      {"audio", {{"input", {{"transcription", transcription}}}, {"output", {{"voice", voice}}}}}};
}

inline const Json whisper = {{"model", "whisper-1"}};

inline std::string settings_event(const char* type, const Json& session,
                                  const std::string& event_id) {
  return Json{{"type", type}, {"event_id", event_id}, {"session", session}}.dump();
}

inline std::string updated(const Json& transcription, const std::string& voice,
                           const std::string& event_id) {
  return settings_event("session.updated", session_with(transcription, voice), event_id);
}

inline std::string update_refusal(const std::string& event_id, Json error) {
  error["type"] = "invalid_request_error";
  return Json{{"type", "error"}, {"event_id", event_id}, {"error", error}}.dump();
}

inline std::string client_update(const Json& session, const Json& event_id = nullptr) {
  Json update = {{"type", "session.update"}, {"session", session}};
  update["session"]["type"] = "realtime";
  if (!event_id.is_null()) update["event_id"] = event_id;
  return update.dump();
}

inline Json voice_of(const std::string& voice) {
  return {{"audio", {{"output", {{"voice", voice}}}}}};
}

inline Json transcription_of(const Json& transcription) {
  return {{"audio", {{"input", {{"transcription", transcription}}}}}};
}

inline SessionOptions bound_to(const Json& session) {
  SessionOptions options = with_reconnect();
  options.session_config_json = session.dump();
  return options;
}

struct Given : Stage {
  explicit Given(SessionOptions options = with_reconnect()) : Stage(std::move(options)) {
    session.upstream_opened(dial(), clock);
  }
  std::vector<std::string> client_got() {
    journal.sync();
    return drain_client();
  }
  std::vector<std::string> provider_got() {
    journal.sync();
    return drain_upstream();
  }
};

/// A user's speech with a transcription by the provider.
inline void speak(Stage& stage) {
  stage.provider(speech_started);
  stage.provider(R"({"type":"conversation.item.input_audio_transcription.delta","event_id":"s1",)"
                 R"("item_id":"u1","content_index":0,"delta":"Good"})");
  stage.provider(speech_committed);
  stage.provider(
      R"({"type":"conversation.item.added","event_id":"s2","previous_item_id":null,"item":)"
      R"({"id":"u1","type":"message","role":"user","status":"completed","content":)"
      R"([{"type":"input_audio","transcript":null}]}})");
  stage.provider(
      R"({"type":"conversation.item.input_audio_transcription.segment","event_id":"s3",)"
      R"("item_id":"u1","content_index":0,"id":"g","speaker":"A","start":0,"end":1,"text":"G"})");
  stage.provider(transcribed);
}

inline bool any_transcription(const std::vector<std::string>& messages) {
  return std::any_of(messages.begin(), messages.end(), [](const std::string& message) {
    return message.find("input_audio_transcription.") != message.npos;
  });
}

}  // namespace verbatim::session::test
