// The content of a message item besides its text: images, members that only some models and clients
// know (`phase`, `name`, `metadata`), unknown kinds of parts. Turns hold the text; a new upstream
// connection must get the rest too.
//
// Pure; any thread.
#pragma once

#include <string>
#include <string_view>

#include "base/json/view.hpp"

namespace verbatim::transcript {

/// True if a content part of this type holds text: typed text, or the text of its audio.
bool is_text_part(std::string_view type);
/// True if it holds text and the text is that of its audio.
bool is_audio_part(std::string_view type);

/// The item's original JSON without audio and without members that only the provider sets
/// (`object`, `status`). Empty, as almost always, if its role and text parts say everything.
/// Precondition: `item` is a message item.
std::string beyond_text(json::View item);

/// The same for an item of another kind; never empty because of its text.
std::string without_status(json::View item);

/// `part` without its audio.
std::string without_audio(json::View part);

}  // namespace verbatim::transcript
