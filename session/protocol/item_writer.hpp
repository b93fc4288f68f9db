// A conversation's items written in the provider's own shapes: as the provider shows them, and as a
// client (or we in its place) asks for them. Protocol notes, sections 2 (replay limits) and 6.
//
// Pure; any thread.
#pragma once

#include <optional>
#include <string>

#include "session/transcript/event.hpp"
#include "session/transcript/turn.hpp"

namespace verbatim::session {

/// How an item is shown in conversation.item.added and .done. `turn` is its turn, if it is one:
/// its text counts. `spoken`: an answer is `output_audio`, else `output_text`.
std::string shown_item(const Item& item, const std::optional<Turn>& turn, bool spoken);

/// The `item` of a conversation.item.create that brings an item into another conversation.
struct RebuiltItem {
  std::string json;          ///< empty: it can not be given
  const char* why_not = "";  ///< then a word for the reason, as clients are told it
};

/// As it came, with what has become of its text: speech as text, since audio can not be given back;
/// of an answer that was talked over what was heard. Precondition: not deleted.
RebuiltItem rebuilt_item(const Item& item, const std::optional<Turn>& turn);

}  // namespace verbatim::session
