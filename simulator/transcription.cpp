#include "simulator/transcription.hpp"

#include <utility>

#include "simulator/script.hpp"

namespace verbatim::simulator {

namespace {

constexpr std::int64_t ms_per_word = 300;
constexpr std::int64_t first_ms = 120;  // after the commit
constexpr std::int64_t between_ms = 40;
constexpr std::int64_t completed_ms = 450;

bool hears_whole_utterances(const std::string& model) { return model == "whisper-1"; }

bool hears_while_spoken(const std::string& model) {
  return model.find("realtime") != model.npos || model.find("live") != model.npos;
}

}  // namespace

Transcription::Transcription(std::string item_id, Manner manner, const std::string& first_words,
                             Emitter& emitter)
    : item_id_(std::move(item_id)),
      manner_(std::move(manner)),
      emitter_(emitter),
      first_words_(first_words),
      first_(pieces(" " + first_words)) {
}  // the first delta begins with a space, `completed` does not

bool Transcription::deltas() const {
  return !manner_.model.empty() && manner_.deltas && manner_.fate == Fate::whole;
}

void Transcription::hear(std::int64_t spoken_ms) {
  if (!deltas() || !(manner_.growing || hears_while_spoken(manner_.model))) return;
  const auto words = static_cast<std::size_t>(spoken_ms / ms_per_word);
  while (sent_ < first_.size() && sent_ < words) {
    if (!manner_.growing) {
      send_delta(first_[sent_++]);
      continue;
    }
    words_ += first_[sent_++];
    send_completed(words_.substr(1), "in_progress");
  }
}

void Transcription::commit(bool speech, std::int64_t length_ms, Pace pace, std::int64_t now_ms) {
  if (manner_.model.empty() || manner_.fate == Fate::missing) return;
  length_ms_ = length_ms;
  words_.clear();
  if (speech && manner_.fate != Fate::empty) words_ = first_words_ + Script::heard_last(length_ms);
  const bool whole = hears_whole_utterances(manner_.model);
  if (!words_.empty() && whole) words_ += '\n';

  std::vector<std::string> rest;
  if (deltas() && !manner_.growing && !words_.empty()) {
    if (whole) {
      rest.push_back(words_);
    } else {
      rest = pieces(" " + words_);
      rest.erase(rest.begin(), rest.begin() + static_cast<std::ptrdiff_t>(sent_));
    }
  }
  std::int64_t offset = whole ? completed_ms - between_ms : first_ms;
  const auto plan = [&](std::string delta) {
    Due due = pace.after(now_ms, offset);
    due.at_ms += manner_.late_ms;
    due.rank_ms += manner_.late_ms;
    steps_.push_back({due, std::move(delta)});
    offset += between_ms;
  };
  for (std::string& piece : rest) plan(std::move(piece));
  offset = std::max(offset, completed_ms);
  plan({});
}

void Transcription::send_delta(const std::string& text) {
  emitter_.send("conversation.item.input_audio_transcription.delta",
                {{"item_id", item_id_},
                 {"content_index", 0},
                 {"delta", text},
                 {"obfuscation", emitter_.ids().obfuscation(text.size())}});
}

void Transcription::step(Conversation& conversation) {
  const Step& step = steps_[next_++];
  if (!step.delta.empty()) return send_delta(step.delta);
  if (manner_.fate == Fate::failed) {
    return emitter_.send("conversation.item.input_audio_transcription.failed",
                         {{"item_id", item_id_},
                          {"content_index", 0},
                          {"error",
                           {{"type", "transcription_error"},
                            {"code", manner_.failure},
                            {"message", "The audio could not be transcribed."},
                            {"param", nullptr}}}});
  }
  if (ConversationItem* item = conversation.find(item_id_)) {
    item->json["content"][0]["transcript"] = words_;
  }
  send_completed(words_, manner_.growing ? OrderedJson("completed") : OrderedJson());
}

void Transcription::send_completed(const std::string& text, const OrderedJson& status) {
  OrderedJson event = {
      {"item_id", item_id_},
      {"content_index", 0},
      {"transcript", text},
      {"usage",
       {{"type", "duration"}, {"seconds", words_.empty() ? 0 : (length_ms_ + 999) / 1000}}}};
  if (!status.is_null()) event["status"] = status;
  emitter_.send("conversation.item.input_audio_transcription.completed", event);
}

}  // namespace verbatim::simulator
