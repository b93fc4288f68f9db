// Checks the item of a client's conversation.item.create, and builds the item that the provider
// sends back. Pure functions.
#pragma once

#include <optional>

#include "simulator/emitter.hpp"

namespace verbatim::simulator {

std::optional<ClientFault> check_client_item(const OrderedJson& item);

/// The item with the provider's fields in the provider's order, without audio and images.
/// Precondition: the item has been checked, and its id is set.
OrderedJson normal_item(const OrderedJson& item);

}  // namespace verbatim::simulator
