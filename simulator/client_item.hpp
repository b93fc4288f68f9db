// The item of a client's conversation.item.create: whether it is one, and how the provider shows it
// back. Pure.
#pragma once

#include <optional>

#include "simulator/emitter.hpp"

namespace verbatim::simulator {

std::optional<ClientFault> check_client_item(const Json& item);

/// With the fields that the provider shows, in its order; audio and images are not kept.
/// Precondition: checked, and its id is set.
Json normal_item(const Json& item);

}  // namespace verbatim::simulator
