#include "session/transcript.hpp"

namespace verbatim::session {

std::string usage_list(const Transcript& transcript) {
  std::string list;
  for (const std::string& usage : transcript.usage()) {
    if (!list.empty()) list += ',';
    list += usage;
  }
  const Usage& used = transcript.used();
  if (used.audio_ms() > 0) {
    if (!list.empty()) list += ',';
    list += metered_audio(used.input_audio_ms, used.output_audio_ms);
  }
  return "[" + list + "]";
}

FinalTranscript finalise(Transcript& transcript, TimeMs now) {
  transcript.finish(now);
  FinalTranscript result;
  result.turns = transcript.turns();
  result.gaps = transcript.gaps();
  result.complete = result.gaps.empty() && !transcript.cut_off();
  result.used = transcript.used();
  result.usage_json = usage_list(transcript);
  return result;
}

}  // namespace verbatim::session
