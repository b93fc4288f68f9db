// From the bytes of a message to what it means: the only place that knows the names of the
// provider's protocol, GA and beta. Source: protocol notes, sections 4, 8 and 10.
//
// Pure functions; any thread; nothing is kept. Untrusted input: never throws, never reads outside
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

/// The value of the message's top-level "type", found by a scan of the top level that skips over
/// values without building anything. Empty if there is none before the message stops being a
/// JSON object, if a key is written with escapes, or if the value is not a plain string.
/// The view points into `message`. A 6.4 kB audio event costs nanoseconds when `type` comes first.
std::string_view peek_type(std::string_view message);

/// What a relay must do with a message of this type, decided by its name alone.
enum class Traffic { audio, transcript, other };

Traffic server_traffic(std::string_view type);  ///< provider -> client
Traffic client_traffic(std::string_view type);  ///< client -> provider

/// Whether the protocol, GA or beta, has a client event of this name.
bool is_client_event(std::string_view type);

/// The event that a provider's message stands for; nullopt if it means nothing to a transcript
/// (unknown types, rate limits, argument deltas, ...) or cannot be read.
std::optional<Event> read_server_event(std::string_view message);

/// The same for a client's message: ItemRequested, CancelRequested, else nullopt.
std::optional<Event> read_client_event(std::string_view message);

/// Why a client's message is refused. `code` and `message` go into the error event that answers it.
struct Refusal {
  std::string code;      ///< invalid_json, missing_required_parameter, invalid_value
  std::string message;   ///< what is wrong, where (offset), what to do
  std::string param;     ///< field at fault, may be empty
  std::string event_id;  ///< the client's own event_id, if it could be read
};

/// For a message with any number of values.
inline constexpr std::size_t unlimited = std::numeric_limits<std::size_t>::max();

/// Checks a client's message before it is forwarded: one JSON object, strict, with exactly one
/// plainly written `type`, which is one of the protocol's client events (GA or beta) or stands in
/// `extra_types`. Audio events are checked by scan alone, without a tree.
/// Parsers disagree about duplicate and escaped keys, so what one could read in two ways is
/// refused. A message of more than `values_max` values is refused without reading it to its end.
std::optional<Refusal> check_client_message(std::string_view message,
                                            const std::vector<std::string>& extra_types = {},
                                            std::size_t values_max = unlimited);

/// The answer to a message of more than `values_max` values. `event_id`: the client's own.
Refusal too_many_values(std::size_t values_max, std::string event_id);

}  // namespace verbatim::session
