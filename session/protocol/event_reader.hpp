// Reads events from messages. This is the only place that knows the event names of the provider's
// protocol, GA and beta. Source: protocol notes, sections 4, 8 and 10.
//
// Pure functions; any thread; no state. Untrusted input: never throws, never reads outside
// `message`.
#pragma once

#include <cstddef>
#include <limits>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "session/transcript/event.hpp"

namespace verbatim::session {

/// The message's top-level "type", as a view into `message`. Scans the top level and skips values
/// without building anything; with `type` first, a 6.4 kB audio event costs nanoseconds. Empty in
/// these cases:
/// - there is no type before the message stops being a JSON object;
/// - a key before it is written with escapes;
/// - the value is not a plain string.
std::string_view peek_type(std::string_view message);

/// How the relay must treat a message, decided by its type alone.
enum class Traffic { audio, transcript, other };

Traffic server_traffic(std::string_view type);  ///< provider -> client
Traffic client_traffic(std::string_view type);  ///< client -> provider

/// True if the protocol, GA or beta, has a client event with this name.
bool is_client_event(std::string_view type);

/// The event in a provider message. nullopt if it has no meaning for a transcript (unknown types,
/// rate limits, ...) or cannot be read.
std::optional<Event> read_server_event(std::string_view message);

/// The event in a client message: ItemRequested, CancelRequested, else nullopt.
std::optional<Event> read_client_event(std::string_view message);

/// Why a client message is refused. `code` and `message` go into the error event that answers it.
struct Refusal {
  std::string code;      ///< invalid_json, missing_required_parameter, invalid_value
  std::string message;   ///< what is wrong, where (byte offset), what to do
  std::string param;     ///< the field at fault; may be empty
  std::string event_id;  ///< the client's own event_id, if readable
};

/// No limit on the number of values.
inline constexpr std::size_t unlimited = std::numeric_limits<std::size_t>::max();

/// Checks a client message before it is forwarded; returns the refusal, if any. The message must be
/// one strict JSON object with exactly one plainly written `type`. Duplicate and escaped keys are
/// refused, because parsers disagree about them. Audio events are only scanned; no tree is built.
///
/// - `extra_types`: allowed types beside the protocol's client events (GA or beta).
/// - `values_max`: a message with more values is refused without reading it to its end.
std::optional<Refusal> check_client_message(std::string_view message,
                                            const std::vector<std::string>& extra_types = {},
                                            std::size_t values_max = unlimited);

/// The event_id that an answer to this message quotes; empty if it has none or a very long one. The
/// message need not be valid JSON.
std::string named_event_id(std::string_view message);

/// The refusal of a message with more than `values_max` values. `event_id`: the client's own.
Refusal too_many_values(std::size_t values_max, std::string event_id);

}  // namespace verbatim::session
