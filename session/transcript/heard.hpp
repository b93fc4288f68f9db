// How a turn's text is joined from its parts (rule 10), and how much of it was heard (rule 9).
// Pure; any thread.
#pragma once

#include <cstdint>
#include <optional>
#include <vector>

#include "base/text.hpp"
#include "session/transcript/event.hpp"

namespace verbatim::session {

/// Adds a part's text: one newline between parts, empty ones left out.
void append_part(Text& joined, const Text& part);

/// The text heard when `audio_ms` of the `sent_ms` of audio of part `content_index` were played:
/// the same fraction of its text, cut back to a word boundary. Always a prefix of the joined
/// parts. nullopt if it is not known how much was sent: better no estimate than a wrong one. Of
/// nothing that was played, nothing was heard.
std::optional<Text> estimate_heard(const std::vector<Part>& parts, int content_index,
                                   std::int64_t audio_ms, std::int64_t sent_ms);

}  // namespace verbatim::session
