#include "session/transcript/transcript.hpp"

#include <utility>

namespace verbatim::transcript {

std::string usage_list(const Transcript& transcript) {
  std::string list;
  for (const std::string& usage : transcript.usage()) {
    if (!list.empty()) list += ',';
    list += usage;
  }
  const auto add = [&list](const std::string& element) {
    if (!list.empty()) list += ',';
    list += element;
  };
  const ResponseCounts& responses = transcript.responses();
  if (responses.any()) add(response_counts(responses));
  if (const std::string& id = transcript.provider_session_id(); !id.empty())
    add(provider_session(id));
  if (const std::string& code = transcript.language(); !code.empty()) add(spoken_language(code));
  const Usage& used = transcript.used();
  if (used.audio_ms() > 0) add(metered_audio(used.input_audio_ms, used.output_audio_ms));
  return "[" + list + "]";
}

FinalTranscript finalise(Transcript& transcript, TimeMs now) {
  transcript.finish(now);
  FinalTranscript result;
  Transcript::Contents contents = transcript.contents();
  result.turns = std::move(contents.turns);
  result.gaps = std::move(contents.gaps);
  result.tool_calls = std::move(contents.tool_calls);
  result.complete = result.gaps.empty() && !contents.cut_off;
  result.used = transcript.used();
  result.usage_json = usage_list(transcript);
  return result;
}

}  // namespace verbatim::transcript
