// A client of the simulated provider with a manual clock.
#pragma once

#include <cmath>
#include <cstdint>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "base/base64.hpp"
#include "base/json/tree.hpp"
#include "simulator/simulated_connection.hpp"

namespace verbatim::simulator::test {

using Types = std::vector<std::string>;

inline constexpr const char* completed = "conversation.item.input_audio_transcription.completed";

/// pcm16 at 24 kHz: a tone that counts as speech, or silence.
inline std::string tone(std::int64_t ms, int amplitude = 8000) {
  std::string bytes;
  for (std::int64_t i = 0; i < ms * 24; ++i) {
    const auto sample =
        static_cast<std::int16_t>(amplitude * std::sin(static_cast<double>(i) * 0.05));
    bytes += static_cast<char>(sample & 0xff);
    bytes += static_cast<char>(sample >> 8);
  }
  return bytes;
}
inline std::string silence(std::int64_t ms) {
  return std::string(static_cast<std::size_t>(ms) * 48, '\0');
}

inline std::string append_event(std::string_view bytes) {
  std::string event = R"({"type":"input_audio_buffer.append","audio":")";
  encode_base64(bytes, event);
  return event + "\"}";
}

inline std::string decoded(const Json& base64) {
  std::string bytes;
  decode_base64(base64.get_ref<const std::string&>(), bytes);
  return bytes;
}

class Client {
 public:
  explicit Client(const std::string& model = "gpt-realtime", Options options = {},
                  std::int64_t start_ms = 1'000)
      : now(start_ms), connection_(options, model, start_ms) {
    collect();
  }

  void send_raw(std::string_view message) {
    connection_.on_message(message, now);
    collect();
  }
  void send(const Json& event) { send_raw(event.dump()); }

  /// Advances the clock, and stops at everything that is due on the way.
  void wait(std::int64_t ms) {
    const std::int64_t end = now + ms;
    for (auto due = connection_.next_due(); due && *due <= end; due = connection_.next_due()) {
      now = std::max(now, *due);
      collect();
    }
    now = end;
    collect();
  }

  /// The microphone in real time: 100 ms at a time.
  void microphone(std::string_view bytes, std::int64_t bytes_a_ms = 48) {
    const auto frame = static_cast<std::size_t>(bytes_a_ms * 100);
    for (std::size_t at = 0; at < bytes.size(); at += frame) {
      wait(100);
      send_raw(append_event(bytes.substr(at, frame)));
    }
  }
  void say(std::int64_t ms) { microphone(tone(ms)); }
  void pause(std::int64_t ms) { microphone(silence(ms)); }

  void update(const Json& session) {
    Json whole = session;
    whole["type"] = "realtime";
    send(Json{{"type", "session.update"}, {"session", whole}});
  }
  void transcribe(const std::string& model = "gpt-realtime-whisper") {
    update({{"audio", {{"input", {{"transcription", {{"model", model}}}}}}}});
  }
  void type(const std::string& text) {
    send(Json{{"type", "conversation.item.create"},
              {"item",
               {{"type", "message"},
                {"role", "user"},
                {"content", Json::array({{{"type", "input_text"}, {"text", text}}})}}}});
  }
  void respond(const Json& response = Json::object()) {
    send(Json{{"type", "response.create"}, {"response", response}});
  }

  std::vector<std::string> types(std::size_t from = 0) const {
    std::vector<std::string> result;
    for (std::size_t i = from; i < events.size(); ++i) result.push_back(events[i]["type"]);
    return result;
  }
  /// The same with repetitions of one type written once.
  std::vector<std::string> shape(std::size_t from = 0) const {
    std::vector<std::string> result;
    for (auto& type : types(from)) {
      if (result.empty() || result.back() != type) result.push_back(type);
    }
    return result;
  }
  std::vector<Json> all(const std::string& type, std::size_t from = 0) const {
    std::vector<Json> result;
    for (std::size_t i = from; i < events.size(); ++i) {
      if (events[i]["type"] == type) result.push_back(events[i]);
    }
    return result;
  }
  Json last(const std::string& type) const {
    const auto found = all(type);
    return found.empty() ? Json() : found.back();
  }
  std::string joined(const std::string& type, std::size_t from = 0) const {
    std::string text;
    for (const Json& event : all(type, from)) text += event["delta"].get<std::string>();
    return text;
  }
  Json error() const { return events.back()["type"] == "error" ? events.back()["error"] : Json(); }

  std::optional<std::int64_t> next_due() const { return connection_.next_due(); }

  std::int64_t now;
  std::vector<Json> events;
  std::vector<std::string> frames;
  std::vector<Action> endings;  ///< all actions except sends

 private:
  void collect() {
    for (Action& action : connection_.take(now)) {
      if (action.kind != Action::Kind::send) {
        endings.push_back(std::move(action));
        continue;
      }
      // Half surrogate pairs occur in recordings; only the bytes count here.
      events.push_back(Json::parse(action.payload, nullptr, false));
      frames.push_back(std::move(action.payload));
    }
  }

  SimulatedConnection connection_;
};

}  // namespace verbatim::simulator::test
