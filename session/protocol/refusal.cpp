#include "session/protocol/refusal.hpp"

#include <utility>

namespace verbatim::protocol {

Refusal too_many_values(std::size_t values_max, std::string event_id) {
  return {"message_too_complex",
          "The message has more than " + std::to_string(values_max) +
              " values (policy.values_max). Send less at a time.",
          {},
          std::move(event_id)};
}

}  // namespace verbatim::protocol
