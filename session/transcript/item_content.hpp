// What a message item is beside its text: images, members that only some models and clients know
// (`phase`, `name`, `metadata`), part kinds that are not known here. Turns hold the text; a new
// connection to the provider has to be given the rest as well.
//
// Pure; any thread.
#pragma once

#include <string>
#include <string_view>

#include "base/json/view.hpp"

namespace verbatim::session {

/// Whether a content part of this type holds text: typed, or words of its audio.
bool is_text_part(std::string_view type);
/// ... and the text is what its audio says.
bool is_audio_part(std::string_view type);

/// The item's JSON as it came, less audio and less what only the provider sets (`object`,
/// `status`). Empty if its role and its text parts say all of it, as they almost always do.
/// Precondition: `item` is a message item.
std::string beyond_text(json::View item);

/// An item that is no message: the same, without the question whether its text says it all.
std::string without_status(json::View item);

/// `part` less its audio.
std::string without_audio(json::View part);

}  // namespace verbatim::session
