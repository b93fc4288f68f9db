#include "simulator/response.hpp"

#include <algorithm>
#include <utility>

#include "base/assert.hpp"
#include "simulator/script.hpp"
#include "simulator/session_config.hpp"

namespace verbatim::simulator {

namespace {

// Times in milliseconds at the provider's speed. After response.created:
constexpr std::int64_t thinking_ms = 220;
// After the beginning of an item:
constexpr std::int64_t first_text_ms = 40;
constexpr std::int64_t first_audio_ms = 80;
constexpr std::int64_t written_piece_ms = 25;
constexpr std::int64_t last_ms = 20;
constexpr std::int64_t faster_than_speech = 5;
constexpr std::int64_t text_lead_ms = 400;  // text is this far ahead of audio

}  // namespace

Response::Response(ResponsePlan plan, Emitter& emitter, Conversation& conversation, Random random,
                   Pace pace, std::int64_t now_ms)
    : plan_(std::move(plan)),
      emitter_(emitter),
      conversation_(conversation),
      pace_(pace),
      start_ms_(now_ms),
      id_(emitter.ids().make("resp_")),
      format_(output_format_of(plan_.audio_output)) {
  constexpr std::int64_t no_limit = 1'000'000'000;
  tokens_left_ = static_cast<std::size_t>(std::max<std::int64_t>(
      plan_.max_output_tokens.is_number_integer() ? plan_.max_output_tokens.get<std::int64_t>()
                                                  : no_limit,
      1));
  outputs_.reserve(2);
  if (plan_.failure.empty()) {
    if (!plan_.words_first.empty()) add_output(plan_.words_first, false);
    add_output(plan_.words, !plan_.call_name.empty());
    for (Output& output : outputs_) plan_output(output, random);
  }
  steps_.push_back(
      {Step::Kind::finish, planned_ms_ + (outputs_.empty() ? thinking_ms : last_ms), {}, 0});
  if (plan_.announced) {
    emitter_.send("response.created", {{"response", json("in_progress", nullptr)}});
  }
}

bool Response::spoken() const {
  return std::any_of(outputs_.begin(), outputs_.end(),
                     [](const Output& output) { return output.spoken; });
}

void Response::add_output(const std::string& words, bool call) {
  Output output;
  output.item_id = emitter_.ids().make("item_");
  if (call) output.call_id = emitter_.ids().make("call_");
  output.words = words;
  output.spoken = !call && plan_.modalities == OrderedJson::array({"audio"});
  output.voice = Voice(words);
  outputs_.push_back(std::move(output));
}

void Response::plan_output(Output& output, Random& random) {
  if (cut_short_) return;  // max_output_tokens is used up
  auto said = pieces(output.words);
  cut_short_ = said.size() > tokens_left_;
  said.resize(std::min(said.size(), tokens_left_));
  tokens_left_ -= said.size();

  const bool first = steps_.empty();
  if (!first) steps_.push_back({Step::Kind::close, planned_ms_, {}, 0});
  const std::int64_t from_ms = first ? thinking_ms : planned_ms_;
  const auto begin = static_cast<std::ptrdiff_t>(steps_.size());
  steps_.push_back({Step::Kind::open, from_ms, {}, 0});
  std::int64_t played_ms = 0;
  std::int64_t written = 0;
  for (const std::string& piece : said) {
    const std::int64_t offset =
        output.spoken ? std::max<std::int64_t>(played_ms - text_lead_ms, 0) / faster_than_speech
                      : written++ * written_piece_ms;
    steps_.push_back({Step::Kind::text, from_ms + first_text_ms + offset, piece, 0});
    played_ms += Voice::length_ms(piece);
  }
  if (output.spoken) plan_audio(random, from_ms, played_ms);
  std::stable_sort(steps_.begin() + begin, steps_.end(),
                   [](const Step& a, const Step& b) { return a.offset_ms < b.offset_ms; });
  planned_ms_ = steps_.back().offset_ms;
}

void Response::plan_audio(Random& random, std::int64_t from_ms, std::int64_t length_ms) {
  for (std::int64_t made = 0; made < length_ms;) {
    const auto chunk = static_cast<std::int64_t>(100 + random.below(4) * 50);
    const std::int64_t ms = std::min(chunk, length_ms - made);
    made += ms;
    steps_.push_back(
        {Step::Kind::audio, from_ms + first_audio_ms + made / faster_than_speech, {}, ms});
  }
}

Due Response::due() const {
  VERBATIM_EXPECTS(!done_);
  return pace_.after(start_ms_, steps_[next_].offset_ms);
}

void Response::step() {
  VERBATIM_EXPECTS(!done_);
  const Step step = std::move(steps_[next_++]);
  switch (step.kind) {
    case Step::Kind::open:
      return open();
    case Step::Kind::text:
      return say(step.text);
    case Step::Kind::audio:
      return sing(step.audio_ms);
    case Step::Kind::close:
      close("completed");
      ++current_;
      return;
    case Step::Kind::finish:
      if (!plan_.failure.empty()) {
        return finish("failed", {{"type", "failed"},
                                 {"error",
                                  {{"type", plan_.failure},
                                   {"code", plan_.failure},
                                   {"message", "The simulated provider is set to fail."}}}});
      }
      if (!cut_short_) return finish("completed", nullptr);
      return finish("incomplete", {{"type", "incomplete"}, {"reason", "max_output_tokens"}});
  }
}

void Response::cancel(const std::string& reason) {
  VERBATIM_EXPECTS(!done_);
  const bool open = !outputs_.empty() && current().status == "in_progress";
  if (open && reason == "client_cancelled") {
    // As with the provider, one more delta is sent after a client cancels.
    const auto rest = steps_.begin() + static_cast<std::ptrdiff_t>(next_);
    const auto flying = std::find_if(rest, steps_.end(), [](const Step& s) {
      return s.kind == Step::Kind::text || s.kind == Step::Kind::close;
    });
    if (flying != steps_.end() && flying->kind == Step::Kind::text) say(flying->text);
  }
  finish("cancelled", {{"type", "cancelled"}, {"reason", reason}});
}

void Response::open() {
  Output& output = current();
  output.status = "in_progress";
  const OrderedJson started = item(output);
  emitter_.send("response.output_item.added",
                {{"response_id", id_}, {"output_index", current_}, {"item", started}});
  if (in_conversation()) {
    conversation_.append({started, output.spoken ? output.words : std::string(), 0, false, 0});
    output.previous = conversation_.previous_of(output.item_id);
    output.second = conversation_.is_second(output.item_id);
    emitter_.send("conversation.item.added",
                  {{"previous_item_id", output.previous}, {"item", started}});
  }
  if (output.call()) return;
  OrderedJson fields = place(output);
  fields["part"] = output.spoken ? OrderedJson{{"type", "audio"}, {"transcript", ""}}
                                 : OrderedJson{{"type", "text"}, {"text", ""}};
  emitter_.send("response.content_part.added", fields);
}

void Response::say(const std::string& text) {
  Output& output = current();
  output.said += text;
  ++said_pieces_;
  OrderedJson fields = place(output);
  fields["delta"] = text;
  fields["obfuscation"] = emitter_.ids().obfuscation(text.size());
  if (output.call()) return emitter_.send("response.function_call_arguments.delta", fields);
  emitter_.send(
      output.spoken ? "response.output_audio_transcript.delta" : "response.output_text.delta",
      fields);
}

void Response::sing(std::int64_t ms) {
  Output& output = current();
  output.sung_ms += ms;
  sung_ms_ += ms;
  if (ConversationItem* mine = conversation_.find(output.item_id); mine && !mine->truncated) {
    mine->audio_ms = output.sung_ms;
  }
  emitter_.audio_delta(id_, output.item_id, current_,
                       encode_audio(format_, output.voice.speak(ms)));
}

/// Ends the open item, if there is one.
void Response::close(const std::string& status) {
  if (outputs_.empty() || current().status != "in_progress") return;
  Output& output = current();
  close_part(output);
  output.status = status == "completed" ? "completed" : "incomplete";
  const OrderedJson ended = item(output);
  if (in_conversation()) {
    if (ConversationItem* mine = conversation_.find(output.item_id)) mine->json = ended;
    // As with the provider, previous_item_id is wrong for the conversation's second item.
    const OrderedJson previous = output.second ? OrderedJson(nullptr) : output.previous;
    emitter_.send("conversation.item.done", {{"previous_item_id", previous}, {"item", ended}});
  }
  emitter_.send("response.output_item.done",
                {{"response_id", id_}, {"output_index", current_}, {"item", ended}});
}

void Response::finish(const std::string& status, const OrderedJson& details) {
  done_ = true;
  close(status);
  emitter_.send("response.done", {{"response", json(status, details)}});
}

void Response::close_part(const Output& output) {
  OrderedJson fields = place(output);
  if (output.call()) {
    fields["name"] = plan_.call_name;
    fields["arguments"] = output.said;
    return emitter_.send("response.function_call_arguments.done", fields);
  }
  if (output.spoken) emitter_.send("response.output_audio.done", fields);
  OrderedJson words = fields;
  words[output.spoken ? "transcript" : "text"] = output.said;
  emitter_.send(
      output.spoken ? "response.output_audio_transcript.done" : "response.output_text.done", words);
  fields["part"] = output.spoken ? OrderedJson{{"type", "audio"}, {"transcript", output.said}}
                                 : OrderedJson{{"type", "text"}, {"text", output.said}};
  emitter_.send("response.content_part.done", fields);
}

OrderedJson Response::place(const Output& output) const {
  OrderedJson fields = {
      {"response_id", id_}, {"item_id", output.item_id}, {"output_index", current_}};
  if (output.call()) {
    fields["call_id"] = output.call_id;
  } else {
    fields["content_index"] = 0;
  }
  return fields;
}

OrderedJson Response::item(const Output& output) const {
  if (output.call()) {
    return {{"id", output.item_id},    {"type", "function_call"},   {"status", output.status},
            {"name", plan_.call_name}, {"call_id", output.call_id}, {"arguments", output.said}};
  }
  OrderedJson content = OrderedJson::array();
  if (output.status != "in_progress") {
    content.push_back(output.spoken
                          ? OrderedJson{{"type", "output_audio"}, {"transcript", output.said}}
                          : OrderedJson{{"type", "output_text"}, {"text", output.said}});
  }
  return {{"id", output.item_id},
          {"type", "message"},
          {"status", output.status},
          {"role", "assistant"},
          {"content", content}};
}

OrderedJson Response::json(const std::string& status, const OrderedJson& details) const {
  OrderedJson output = OrderedJson::array();
  for (const Output& one : outputs_) {
    if (done_ && !one.status.empty()) output.push_back(item(one));
  }
  const OrderedJson audio = {{"format", plan_.audio_output.at("format")},
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
          {"usage", done_ ? usage() : OrderedJson(nullptr)},
          {"metadata", plan_.metadata}};
}

OrderedJson Response::usage() const {
  const std::size_t audio_out = static_cast<std::size_t>(sung_ms_) / 50;
  const std::size_t in = plan_.input_text_tokens + plan_.input_audio_tokens;
  const OrderedJson cached = {{"text_tokens", 0}, {"audio_tokens", 0}, {"image_tokens", 0}};
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
