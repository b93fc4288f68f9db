// Encodes a transcript::Event to the body of a journal row, and decodes it. FORMAT.md describes the
// format. Versioned, with a checksum, fuzzed. Pure; any thread.
#pragma once

#include <optional>
#include <string>
#include <string_view>

#include "session/transcript/event.hpp"

namespace verbatim::rows {

std::string encode_event(const transcript::Event& event);

/// nullopt if the bytes are not an event of a known version.
std::optional<transcript::Event> decode_event(std::string_view bytes);

}  // namespace verbatim::rows
