// Writes conversation items in the provider's shapes: as the provider shows them, and as a client
// (or the relay for it) creates them. docs/resume.md says what a new connection accepts.
//
// Pure; any thread.
#pragma once

#include <optional>
#include <string>

#include "session/protocol/provider_dialect.hpp"
#include "session/transcript/event.hpp"
#include "session/transcript/turn.hpp"

namespace verbatim::protocol {

/// The item as shown in conversation.item.added and .done.
/// - `turn`: the item's turn, if it has one; its text is used.
/// - `spoken`: an answer is written as `output_audio`, else as `output_text`.
std::string shown_item(const transcript::Item& item, const std::optional<transcript::Turn>& turn,
                       bool spoken);

/// The `item` of a conversation.item.create that adds the item to another conversation: the
/// original one with its present text. Speech becomes text, since audio cannot be sent again. An
/// answer that the user talked over keeps only its heard text. Precondition: the item is not
/// deleted.
RebuiltItem rebuilt_item(const transcript::Item& item, const std::optional<transcript::Turn>& turn);

}  // namespace verbatim::protocol
