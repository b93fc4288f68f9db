#include "simulator/response.hpp"

#include <algorithm>
#include <utility>

#include "simulator/script.hpp"
#include "simulator/session_config.hpp"

namespace verbatim::simulator {

namespace {

// Milliseconds after response.created, at the provider's pace.
constexpr std::int64_t thinking_ms = 220;
constexpr std::int64_t first_text_ms = thinking_ms + 40;
constexpr std::int64_t first_audio_ms = thinking_ms + 80;
constexpr std::int64_t written_piece_ms = 25;
constexpr std::int64_t last_ms = 20;
constexpr std::int64_t faster_than_speech = 5;
constexpr std::int64_t text_lead_ms = 400;  // of audio

}  // namespace

Response::Response(ResponsePlan plan, Emitter& emitter, Conversation& conversation, Random random,
                   Pace pace, std::int64_t now_ms)
    : plan_(std::move(plan)),
      emitter_(emitter),
      conversation_(conversation),
      pace_(pace),
      start_ms_(now_ms),
      id_(emitter.ids().make("resp_")),
      item_id_(emitter.ids().make("item_")),
      voice_(plan_.words),
      format_(output_format_of(plan_.audio_output)),
      spoken_(!call() && plan_.modalities == Json::array({"audio"})) {
  if (call()) call_id_ = emitter_.ids().make("call_");
  auto said = pieces(plan_.words);
  if (plan_.max_output_tokens.is_number_integer()) {
    const auto most = static_cast<std::size_t>(
        std::max<std::int64_t>(plan_.max_output_tokens.get<std::int64_t>(), 1));
    cut_short_ = said.size() > most;
    said.resize(std::min(said.size(), most));
  }
  steps_.push_back({Step::Kind::open, thinking_ms, {}, 0});
  plan_text(said);
  if (spoken_) {
    std::string words;
    for (const std::string& piece : said) words += piece;
    plan_audio(random, Voice::length_ms(words));
  }
  std::stable_sort(steps_.begin(), steps_.end(),
                   [](const Step& a, const Step& b) { return a.offset_ms < b.offset_ms; });
  steps_.push_back({Step::Kind::finish, steps_.back().offset_ms + last_ms, {}, 0});
  emitter_.send("response.created", {{"response", json("in_progress", nullptr)}});
}

void Response::plan_text(const std::vector<std::string>& said) {
  std::int64_t played_ms = 0;
  std::int64_t written = 0;
  for (const std::string& piece : said) {
    const std::int64_t offset =
        spoken_ ? std::max<std::int64_t>(played_ms - text_lead_ms, 0) / faster_than_speech
                : written++ * written_piece_ms;
    steps_.push_back({Step::Kind::text, first_text_ms + offset, piece, 0});
    played_ms += Voice::length_ms(piece);
  }
}

void Response::plan_audio(Random random, std::int64_t length_ms) {
  for (std::int64_t made = 0; made < length_ms;) {
    const auto chunk = static_cast<std::int64_t>(100 + random.below(4) * 50);
    const std::int64_t ms = std::min(chunk, length_ms - made);
    made += ms;
    steps_.push_back({Step::Kind::audio, first_audio_ms + made / faster_than_speech, {}, ms});
  }
}

Due Response::due() const { return pace_.after(start_ms_, steps_[next_].offset_ms); }

void Response::step() {
  const Step step = std::move(steps_[next_++]);
  switch (step.kind) {
    case Step::Kind::open:
      return open();
    case Step::Kind::text:
      return say(step.text);
    case Step::Kind::audio:
      return sing(step.audio_ms);
    case Step::Kind::finish:
      if (!cut_short_) return finish("completed", nullptr);
      return finish("incomplete", {{"type", "incomplete"}, {"reason", "max_output_tokens"}});
  }
}

void Response::cancel(const std::string& reason) {
  if (opened_ && reason == "client_cancelled") {
    // One delta is in flight when a client cancels.
    const auto flying =
        std::find_if(steps_.begin() + static_cast<std::ptrdiff_t>(next_), steps_.end(),
                     [](const Step& s) { return s.kind == Step::Kind::text; });
    if (flying != steps_.end()) say(flying->text);
  }
  finish("cancelled", {{"type", "cancelled"}, {"reason", reason}});
}

void Response::open() {
  opened_ = true;
  const Json started = item("in_progress");
  emitter_.send("response.output_item.added",
                {{"response_id", id_}, {"output_index", 0}, {"item", started}});
  if (in_conversation()) {
    conversation_.append({started, spoken_ ? plan_.words : std::string(), 0, false, 0});
    previous_ = conversation_.previous_of(item_id_);
    second_ = conversation_.is_second(item_id_);
    emitter_.send("conversation.item.added", {{"previous_item_id", previous_}, {"item", started}});
  }
  if (call()) return;
  Json fields = place();
  fields["part"] =
      spoken_ ? Json{{"type", "audio"}, {"transcript", ""}} : Json{{"type", "text"}, {"text", ""}};
  emitter_.send("response.content_part.added", fields);
}

void Response::say(const std::string& text) {
  said_ += text;
  ++said_pieces_;
  Json fields = place();
  fields["delta"] = text;
  fields["obfuscation"] = emitter_.ids().obfuscation(text.size());
  if (call()) return emitter_.send("response.function_call_arguments.delta", fields);
  emitter_.send(spoken_ ? "response.output_audio_transcript.delta" : "response.output_text.delta",
                fields);
}

void Response::sing(std::int64_t ms) {
  sung_ms_ += ms;
  if (ConversationItem* mine = conversation_.find(item_id_); mine && !mine->truncated) {
    mine->audio_ms = sung_ms_;
  }
  emitter_.audio_delta(id_, item_id_, encode_audio(format_, voice_.speak(ms)));
}

void Response::finish(const std::string& status, const Json& details) {
  done_ = true;
  if (opened_) {
    close_parts();
    const Json ended = item(status == "completed" ? "completed" : "incomplete");
    if (in_conversation()) {
      if (ConversationItem* mine = conversation_.find(item_id_)) mine->json = ended;
      // The provider's own quirk: wrong for the conversation's second item.
      const Json previous = second_ ? Json(nullptr) : previous_;
      emitter_.send("conversation.item.done", {{"previous_item_id", previous}, {"item", ended}});
    }
    emitter_.send("response.output_item.done",
                  {{"response_id", id_}, {"output_index", 0}, {"item", ended}});
  }
  emitter_.send("response.done", {{"response", json(status, details)}});
}

void Response::close_parts() {
  Json fields = place();
  if (call()) {
    fields["name"] = plan_.call_name;
    fields["arguments"] = said_;
    return emitter_.send("response.function_call_arguments.done", fields);
  }
  if (spoken_) emitter_.send("response.output_audio.done", fields);
  Json words = fields;
  words[spoken_ ? "transcript" : "text"] = said_;
  emitter_.send(spoken_ ? "response.output_audio_transcript.done" : "response.output_text.done",
                words);
  fields["part"] = spoken_ ? Json{{"type", "audio"}, {"transcript", said_}}
                           : Json{{"type", "text"}, {"text", said_}};
  emitter_.send("response.content_part.done", fields);
}

Json Response::place() const {
  Json fields = {{"response_id", id_}, {"item_id", item_id_}, {"output_index", 0}};
  if (call()) {
    fields["call_id"] = call_id_;
  } else {
    fields["content_index"] = 0;
  }
  return fields;
}

Json Response::item(const std::string& status) const {
  if (call()) {
    return {{"id", item_id_},          {"type", "function_call"}, {"status", status},
            {"name", plan_.call_name}, {"call_id", call_id_},     {"arguments", said_}};
  }
  Json content = Json::array();
  if (status != "in_progress") {
    content.push_back(spoken_ ? Json{{"type", "output_audio"}, {"transcript", said_}}
                              : Json{{"type", "output_text"}, {"text", said_}});
  }
  return {{"id", item_id_},
          {"type", "message"},
          {"status", status},
          {"role", "assistant"},
          {"content", content}};
}

Json Response::json(const std::string& status, const Json& details) const {
  Json output = Json::array();
  if (opened_ && done_) output.push_back(item(status == "completed" ? "completed" : "incomplete"));
  const Json audio = {{"format", plan_.audio_output.at("format")},
                      {"voice", plan_.audio_output.at("voice")}};
  return {{"object", "realtime.response"},
          {"id", id_},
          {"status", status},
          {"status_details", details},
          {"output", output},
          {"conversation_id", plan_.conversation_id},
          {"output_modalities", plan_.modalities},
          {"max_output_tokens", plan_.max_output_tokens},
          {"audio", {{"output", audio}}},
          {"usage", done_ ? usage() : Json(nullptr)},
          {"metadata", plan_.metadata}};
}

Json Response::usage() const {
  const std::size_t audio_out = static_cast<std::size_t>(sung_ms_) / 50;
  const std::size_t in = plan_.input_text_tokens + plan_.input_audio_tokens;
  const Json cached = {{"text_tokens", 0}, {"audio_tokens", 0}, {"image_tokens", 0}};
  return {{"total_tokens", in + said_pieces_ + audio_out},
          {"input_tokens", in},
          {"output_tokens", said_pieces_ + audio_out},
          {"input_token_details",
           {{"text_tokens", plan_.input_text_tokens},
            {"audio_tokens", plan_.input_audio_tokens},
            {"image_tokens", 0},
            {"cached_tokens", 0},
            {"cached_tokens_details", cached}}},
          {"output_token_details", {{"text_tokens", said_pieces_}, {"audio_tokens", audio_out}}}};
}

}  // namespace verbatim::simulator
