// Joins a turn's text from its parts (rule 10), and estimates how much of it was heard (rule 9).
// Pure; any thread.
#pragma once

#include <cstdint>
#include <optional>
#include <vector>

#include "base/text.hpp"
#include "session/transcript/event.hpp"

namespace verbatim::transcript {

/// Appends a part's text: one newline between parts; empty parts are left out.
void append_part(Text& joined, const Text& part);

/// Estimates the text heard: the played fraction of one part's text, shortened to a whole word.
/// Always a prefix of the joined parts; empty if nothing was played. nullopt if it is not known how
/// much was sent, because a wrong estimate is worse than none.
///
/// - `parts`: the turn's parts.
/// - `content_index`: the part that was playing.
/// - `audio_ms`: how much of its audio was played.
/// - `sent_ms`: how much of its audio was sent.
std::optional<Text> estimate_heard(const std::vector<Part>& parts, int content_index,
                                   std::int64_t audio_ms, std::int64_t sent_ms);

}  // namespace verbatim::transcript
