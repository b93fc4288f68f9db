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

Transcription::Transcription(std::string item_id, std::string model, const std::string& first_words,
                             const Faults& faults, Emitter& emitter)
    : item_id_(std::move(item_id)),
      model_(std::move(model)),
      faults_(faults),
      emitter_(emitter),
      first_words_(first_words),
      first_(pieces(" " + first_words)) {}  // a first delta begins with a blank, `completed` not

bool Transcription::deltas() const {
  return !model_.empty() && faults_.transcription_deltas && !faults_.fail_transcription &&
         !faults_.empty_transcription;
}

void Transcription::hear(std::int64_t spoken_ms) {
  if (!deltas() || !hears_while_spoken(model_)) return;
  const auto words = static_cast<std::size_t>(spoken_ms / ms_per_word);
  while (sent_ < first_.size() && sent_ < words) send_delta(first_[sent_++]);
}

void Transcription::commit(bool speech, std::int64_t length_ms, Pace pace, std::int64_t now_ms) {
  if (model_.empty()) return;
  length_ms_ = length_ms;
  if (speech && !faults_.empty_transcription) words_ = first_words_ + Script::heard_last(length_ms);
  if (!words_.empty() && hears_whole_utterances(model_)) words_ += '\n';

  std::vector<std::string> rest;
  if (deltas() && !words_.empty()) {
    if (hears_whole_utterances(model_)) {
      rest.push_back(words_);
    } else {
      rest = pieces(" " + words_);
      rest.erase(rest.begin(), rest.begin() + static_cast<std::ptrdiff_t>(sent_));
    }
  }
  std::int64_t offset = hears_whole_utterances(model_) ? completed_ms - between_ms : first_ms;
  const auto plan = [&](std::string delta) {
    Due due = pace.after(now_ms, offset);
    due.at_ms += faults_.late_transcription_ms;
    due.rank_ms += faults_.late_transcription_ms;
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
  if (faults_.fail_transcription) {
    return emitter_.send("conversation.item.input_audio_transcription.failed",
                         {{"item_id", item_id_},
                          {"content_index", 0},
                          {"error",
                           {{"type", "transcription_error"},
                            {"code", "audio_unintelligible"},
                            {"message", "The audio could not be transcribed."},
                            {"param", nullptr}}}});
  }
  if (ConversationItem* item = conversation.find(item_id_)) {
    item->json["content"][0]["transcript"] = words_;
  }
  emitter_.send(
      "conversation.item.input_audio_transcription.completed",
      {{"item_id", item_id_},
       {"content_index", 0},
       {"transcript", words_},
       {"usage",
        {{"type", "duration"}, {"seconds", words_.empty() ? 0 : (length_ms_ + 999) / 1000}}}});
}

}  // namespace verbatim::simulator
