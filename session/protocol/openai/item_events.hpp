// Writes the provider's events about items of a conversation, for a client: OpenAI's names and
// shapes. item_writer.hpp writes the items themselves.
//
// Pure; any thread. provider_dialect.hpp describes each function.
#pragma once

#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "session/protocol/provider_dialect.hpp"

namespace verbatim::protocol {

/// conversation.item.added and .done; after an item that the user spoke, what is known of its
/// transcription.
std::vector<std::string> item_events(const transcript::Item& item,
                                     const std::optional<transcript::Turn>& turn,
                                     const ItemView& view, const EventIds& next_event_id);
std::string truncated_event(const ItemTarget& target, std::string_view event_id);
std::string deleted_event(const std::string& item_id, std::string_view event_id);
/// Empty if the item cannot be shown.
std::string retrieved_event(const transcript::Item& item,
                            const std::optional<transcript::Turn>& turn, bool spoken,
                            std::string_view event_id);

}  // namespace verbatim::protocol
