// Transcripts as captions: WebVTT and SubRip, one cue a turn, on one clock that begins with the
// first of them. Part of render.hpp, apart because captions have grammars of their own. Pure.
#pragma once

#include <span>
#include <string>
#include <string_view>

#include "session/transcript/render/render.hpp"

namespace verbatim::session {

/// "User", "Assistant", "System", "Unknown".
std::string_view speaker(Role);

std::string render_vtt(std::span<const TranscriptView>);
std::string render_srt(std::span<const TranscriptView>);

}  // namespace verbatim::session
