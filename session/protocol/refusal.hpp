// Why the relay does not send a client's message on. Plain value; any thread.
#pragma once

#include <cstddef>
#include <limits>
#include <string>

namespace verbatim::protocol {

/// `code` and `message` go into the error event that answers the client.
struct Refusal {
  std::string code;      ///< invalid_json, missing_required_parameter, invalid_value
  std::string message;   ///< the fault, its byte offset, what to do
  std::string param;     ///< the field at fault; may be empty
  std::string event_id;  ///< the client's own event_id, if readable
};

/// No limit on the number of values in a message.
inline constexpr std::size_t unlimited = std::numeric_limits<std::size_t>::max();

/// The refusal of a message with more than `values_max` values. `event_id`: the client's own.
Refusal too_many_values(std::size_t values_max, std::string event_id);

}  // namespace verbatim::protocol
