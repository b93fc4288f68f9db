// session::Event <-> bytes: the body of a journal row. Format: storage/FORMAT.md.
// Versioned, self-checking, fuzzed. Pure; any thread.
#pragma once

#include <optional>
#include <string>
#include <string_view>

#include "session/transcript/event.hpp"

namespace verbatim::storage {

std::string encode_event(const session::Event& event);

/// nullopt if the bytes are no event of a version that we know.
std::optional<session::Event> decode_event(std::string_view bytes);

}  // namespace verbatim::storage
