// A client's requests about items, in OpenAI's Realtime protocol: what they name, and the same
// request with another place. Also the relay's own request for an item.
//
// Pure; any thread. provider_dialect.hpp describes each function.
#pragma once

#include <optional>
#include <string>
#include <string_view>

#include "session/protocol/provider_dialect.hpp"

namespace verbatim::protocol {

ItemTarget item_target(std::string_view message);
std::string_view item_in(std::string_view message);
bool is_same_item(const transcript::Item& wanted, const transcript::Item& ours,
                  const std::optional<transcript::Turn>& turn);
std::string placed_behind(std::string_view message, const std::string& item_id);
RebuiltItem create_item(const transcript::Item& item, const std::optional<transcript::Turn>& turn,
                        std::size_t item_bytes_max, std::string_view event_id);

}  // namespace verbatim::protocol
