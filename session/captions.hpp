// A transcript as captions: WebVTT and SubRip, one cue a turn, on a clock that begins with the
// session. Part of render.hpp, apart because captions have grammars of their own. Pure.
#pragma once

#include <string>
#include <string_view>

#include "session/render.hpp"

namespace verbatim::session {

/// "User", "Assistant", "System", "Unknown".
std::string_view speaker(Role);

std::string render_vtt(const TranscriptView&);
std::string render_srt(const TranscriptView&);

}  // namespace verbatim::session
