#include "bench/relays/conversation.hpp"

#include <cmath>
#include <cstdio>

namespace verbatim::bench {
namespace {

constexpr std::string_view stamp_begin = "\"event_id\":\"at_";
constexpr std::size_t stamp_digits = 16;

std::string base64(const std::string& bytes) {
  constexpr const char* letters =
      "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789+/";
  std::string out;
  for (std::size_t at = 0; at + 2 < bytes.size(); at += 3) {
    std::uint32_t three = 0;
    for (std::size_t i = 0; i < 3; ++i)
      three = three << 8 | static_cast<unsigned char>(bytes[at + i]);
    for (int shift = 18; shift >= 0; shift -= 6) out += letters[three >> shift & 63];
  }
  return out;
}

}  // namespace

Template::Template(Kind kind, std::string_view type, std::string_view rest) : kind_(kind) {
  bytes_ = "{\"type\":\"" + std::string(type) + "\"," + std::string(stamp_begin);
  stamp_at_ = bytes_.size();
  bytes_ += std::string(stamp_digits, '0') + "\"" + std::string(rest.empty() ? "" : ",") +
            std::string(rest) + "}";
}

const std::string& Template::stamped() {
  auto value = static_cast<std::uint64_t>(now_ns());
  for (std::size_t digit = stamp_digits; digit-- > 0; value >>= 4)
    bytes_[stamp_at_ + digit] = "0123456789abcdef"[value & 15];
  return bytes_;
}

std::int64_t sent_ns(std::string_view event) {
  const std::size_t at = event.substr(0, 160).find(stamp_begin);
  if (at == std::string_view::npos) return 0;
  return static_cast<std::int64_t>(
      std::stoull(std::string(event.substr(at + stamp_begin.size(), stamp_digits)), nullptr, 16));
}

Kind kind_of(std::string_view event) {
  const std::string_view begin = event.substr(0, 80);
  if (begin.find("audio.delta\"") != std::string_view::npos ||
      begin.find("buffer.append\"") != std::string_view::npos) {
    return Kind::audio;
  }
  return begin.find("transcript") != std::string_view::npos ? Kind::text : Kind::other;
}

std::string speech(int ms) {
  std::string samples;
  std::uint32_t noise = 1;
  for (int sample = 0; sample < 24 * ms; ++sample) {
    noise = noise * 1664525 + 1013904223;
    const int value =
        static_cast<int>(9000 * std::sin(sample / 9.0)) + static_cast<int>(noise >> 24);
    samples += static_cast<char>(value & 255);
    samples += static_cast<char>(value >> 8 & 255);
  }
  return base64(samples);
}

std::vector<Due> one_exchange(const std::string& session, int number, const std::string& audio) {
  constexpr const char* words[] = {" I",    " can", " hear", " every", " word", " that",
                                   " you",  " say", ",",     " and",   " none", " of",
                                   " them", " is",  " lost", " on",    " the",  " way"};
  std::vector<Due> script;
  const auto add = [&](int at_ms, Kind kind, std::string_view type, const std::string& rest) {
    script.push_back({at_ms, Template(kind, type, rest)});
  };
  const std::string tag = session + '_' + std::to_string(number);
  const std::string person = "item_u" + tag, answer = "item_a" + tag, response = "resp_" + tag;
  const std::string previous =
      number == 0 ? "null" : "\"item_a" + session + '_' + std::to_string(number - 1) + '"';
  const std::string person_item =
      R"("previous_item_id":)" + previous + R"(,"item":{"id":")" + person +
      R"(","type":"message","status":"completed","role":"user","content":[{"type":"input_audio","transcript":null}]})";
  const auto part = [&](std::string_view rest) {
    return R"("response_id":")" + response + R"(","item_id":")" + answer +
           R"(","output_index":0,"content_index":0,)" + std::string(rest);
  };
  const auto response_body = [&](const char* status, const char* usage) {
    return R"("response":{"object":"realtime.response","id":")" + response + R"(","status":")" +
           status + R"(","output":[],"output_modalities":["audio"],"usage":)" + usage +
           R"(,"metadata":null})";
  };
  constexpr const char* usage =
      R"({"total_tokens":253,"input_tokens":132,"output_tokens":121,"input_token_details":)"
      R"({"text_tokens":119,"audio_tokens":13,"image_tokens":0,"cached_tokens":64,)"
      R"("cached_tokens_details":{"text_tokens":64,"audio_tokens":0,"image_tokens":0}},)"
      R"("output_token_details":{"text_tokens":30,"audio_tokens":91}})";
  const auto answer_item = [&](const char* status, const std::string& content) {
    return R"("item":{"id":")" + answer + R"(","type":"message","status":")" + status +
           R"(","role":"assistant","content":[)" + content + "]}";
  };
  std::string said;
  add(0, Kind::other, "input_audio_buffer.speech_started",
      R"("audio_start_ms":100,"item_id":")" + person + "\"");
  add(1000, Kind::other, "input_audio_buffer.speech_stopped",
      R"("audio_end_ms":1000,"item_id":")" + person + "\"");
  add(1000, Kind::other, "input_audio_buffer.committed",
      R"("previous_item_id":)" + previous + R"(,"item_id":")" + person + "\"");
  add(1000, Kind::other, "conversation.item.added", person_item);
  add(1000, Kind::other, "conversation.item.done", person_item);
  for (int word = 0; word < 6; ++word) {
    said += words[word];
    add(1050 + 10 * word, Kind::text, "conversation.item.input_audio_transcription.delta",
        R"("item_id":")" + person + R"(","content_index":0,"delta":")" + words[word] +
            R"(","obfuscation":"QFJAuRO0fD26Ziy")");
  }
  add(1150, Kind::text, "conversation.item.input_audio_transcription.completed",
      R"("item_id":")" + person + R"(","content_index":0,"transcript":")" + said + "\"");
  add(1200, Kind::other, "response.created", response_body("in_progress", "null"));
  add(1200, Kind::other, "response.output_item.added",
      R"("response_id":")" + response + R"(","output_index":0,)" + answer_item("in_progress", ""));
  add(1200, Kind::other, "conversation.item.added",
      R"("previous_item_id":")" + person + "\"," + answer_item("in_progress", ""));
  add(1200, Kind::other, "response.content_part.added",
      part(R"("part":{"type":"audio","transcript":""})"));
  said.clear();
  for (int burst = 0, word = 0; burst < 5; ++burst) {
    for (int event = 0; event < 4; ++event) {
      const int at = 1300 + 200 * burst;
      add(at, Kind::audio, "response.output_audio.delta", part(R"("delta":")" + audio + "\""));
      if (word == 18) continue;
      said += words[word];
      add(at, Kind::text, "response.output_audio_transcript.delta",
          part(R"("delta":")" + std::string(words[word++]) +
               R"(","obfuscation":"jM35hfrStQtGdM")"));
    }
  }
  const std::string whole = R"({"type":"output_audio","transcript":")" + said + "\"}";
  add(2300, Kind::other, "response.output_audio.done",
      R"("response_id":")" + response + R"(","item_id":")" + answer +
          R"(","output_index":0,"content_index":0)");
  add(2300, Kind::text, "response.output_audio_transcript.done",
      part(R"("transcript":")" + said + "\""));
  add(2300, Kind::other, "response.content_part.done", part(R"("part":)" + whole));
  add(2300, Kind::other, "response.output_item.done",
      R"("response_id":")" + response + R"(","output_index":0,)" + answer_item("completed", whole));
  add(2300, Kind::other, "conversation.item.done",
      R"("previous_item_id":")" + person + "\"," + answer_item("completed", whole));
  add(2300, Kind::other, "response.done", response_body("completed", usage));
  return script;
}

std::string session_created(const std::string& tag) {
  return R"({"type":"session.created","event_id":"event_)" + tag +
         R"(","session":{"type":"realtime","object":"realtime.session","id":"sess_)" + tag +
         R"(","model":"gpt-realtime","output_modalities":["audio"],"instructions":"","tools":[],)"
         R"("audio":{"input":{"format":{"type":"audio/pcm","rate":24000},)"
         R"("transcription":{"model":"whisper-1"},"turn_detection":{"type":"server_vad"}},)"
         R"("output":{"format":{"type":"audio/pcm","rate":24000},"voice":"alloy","speed":1}}}})";
}

}  // namespace verbatim::bench
