#include "session/transcript.hpp"

namespace verbatim::session {

FinalTranscript finalise(Transcript& transcript, TimeMs now) {
  transcript.finish(now);
  FinalTranscript result;
  result.turns = transcript.turns();
  result.gaps = transcript.gaps();
  result.complete = result.gaps.empty() && !transcript.cut_off();
  std::string joined;
  for (const std::string& usage : transcript.usage()) {
    if (!joined.empty()) joined += ',';
    joined += usage;
  }
  result.usage_json = "[" + joined + "]";
  return result;
}

}  // namespace verbatim::session
