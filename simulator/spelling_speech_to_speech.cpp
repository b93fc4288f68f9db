// Hugging Face's speech-to-speech server before August 2026. It sends no items except a client's
// own, transcripts in whole sentences without deltas, no answer to session.update, and no
// response.done for a response that called a function.
#include <string>
#include <utility>

#include "simulator/spelling.hpp"

namespace verbatim::simulator {

namespace {

class SpeechToSpeechSpelling final : public Spelling {
 public:
  void spell(OrderedJson event, std::vector<OrderedJson>& out) override {
    const auto type = event["type"].get<std::string>();
    event.erase("obfuscation");
    if (type == "response.output_audio_transcript.delta") return collect(std::move(event), out);
    if (type == "response.output_audio_transcript.done") return finish(std::move(event), out);
    if (type == "conversation.item.input_audio_transcription.delta") {
      event["content_index"] = heard_pieces_++;
    }
    if (type == "conversation.item.input_audio_transcription.completed") heard_pieces_ = 0;
    if (type == "response.function_call_arguments.done") calls_ = true;
    if (type == "response.done" && std::exchange(calls_, false)) return;
    if (type == "error") {
      OrderedJson& error = event["error"];
      error = {{"type", error["code"]}, {"message", error["message"]}};
    }
    if (is_said(type)) out.push_back(std::move(event));
  }

 private:
  static bool is_said(const std::string& type) {
    static constexpr const char* said[] = {"session.created",
                                           "error",
                                           "input_audio_buffer.speech_started",
                                           "input_audio_buffer.speech_stopped",
                                           "conversation.item.created",
                                           "conversation.item.input_audio_transcription.delta",
                                           "conversation.item.input_audio_transcription.completed",
                                           "response.created",
                                           "response.output_audio.delta",
                                           "response.output_audio.done",
                                           "response.output_text.done",
                                           "response.function_call_arguments.done",
                                           "response.done"};
    for (const char* const one : said) {
      if (type == one) return true;
    }
    return false;
  }

  /// Collects deltas and sends each whole sentence as one transcript.
  void collect(OrderedJson event, std::vector<OrderedJson>& out) {
    sentence_ += event["delta"].get<std::string>();
    const std::size_t begin = sentence_.find_first_not_of(' ');
    if (begin != sentence_.npos) sentence_.erase(0, begin);
    if (sentence_.empty() || std::string(".!?").find(sentence_.back()) == std::string::npos) return;
    event.erase("delta");
    finish(std::move(event), out);
  }

  void finish(OrderedJson event, std::vector<OrderedJson>& out) {
    if (sentence_.empty()) return;
    event["type"] = "response.output_audio_transcript.done";
    event["transcript"] = std::exchange(sentence_, {});
    out.push_back(std::move(event));
  }

  std::string sentence_;
  int heard_pieces_ = 0;
  bool calls_ = false;
};

}  // namespace

std::unique_ptr<Spelling> speech_to_speech_spelling(Ids&) {
  return std::make_unique<SpeechToSpeechSpelling>();
}

}  // namespace verbatim::simulator
