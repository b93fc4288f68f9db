// Reads events from messages of OpenAI's Realtime protocol, GA and beta. Source: the
// provider's published types, and the recorded streams (tests/recordings).
//
// Pure functions; any thread; no state. Untrusted input: never throws, never reads outside
// `message`.
#pragma once

#include <cstddef>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "session/protocol/envelope.hpp"
#include "session/protocol/message.hpp"
#include "session/protocol/provider_dialect.hpp"
#include "session/protocol/refusal.hpp"
#include "session/transcript/event.hpp"

namespace verbatim::protocol {

Traffic server_traffic(std::string_view type);  ///< provider -> client
Traffic client_traffic(std::string_view type);  ///< client -> provider

/// True if the protocol, GA or beta, has a client event with this name.
bool is_client_event(std::string_view type);

/// The event in a provider message. nullopt if it has no meaning for a transcript (unknown types,
/// rate limits, ...) or cannot be read.
std::optional<transcript::Event> read_server_event(std::string_view message);

/// The event in a client message: ItemRequested, CancelRequested, else nullopt.
std::optional<transcript::Event> read_client_event(std::string_view message);

/// Checks a client message before it is forwarded: ClientMessage with its refusal, or its type. The
/// message must be one strict JSON object with exactly one plainly written `type`. Duplicate and
/// escaped keys are refused, because parsers disagree about them. Audio events are only scanned; no
/// tree is built.
///
/// - `extra_types`: allowed types beside the protocol's client events (GA or beta).
/// - `values_max`: a message with more values is refused without reading it to its end.
ClientMessage examine_client_message(std::string_view message,
                                     const std::vector<std::string>& extra_types,
                                     std::size_t values_max);

/// Only the refusal, if any.
std::optional<Refusal> check_client_message(std::string_view message,
                                            const std::vector<std::string>& extra_types = {},
                                            std::size_t values_max = unlimited);

}  // namespace verbatim::protocol
