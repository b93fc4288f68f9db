// Captions of transcripts: WebVTT and SubRip, one cue per turn, on one clock that starts with the
// first transcript. Part of render.hpp; separate because captions have their own grammars. Pure;
// any thread.
#pragma once

#include <span>
#include <string>
#include <string_view>

#include "session/transcript/render/render.hpp"

namespace verbatim::transcript {

/// "User", "Assistant", "System", "Unknown".
std::string_view speaker(Role);

std::string render_vtt(std::span<const TranscriptView>);
std::string render_srt(std::span<const TranscriptView>);

}  // namespace verbatim::transcript
