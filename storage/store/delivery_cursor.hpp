// The place in a list of deliveries where a page ends. Clients get it as an opaque text. Pure; any
// thread.
#pragma once

#include <cstddef>
#include <cstdint>
#include <optional>
#include <string>
#include <string_view>

namespace verbatim::store {

/// More than a message can have targets.
inline constexpr std::size_t deliveries_of_message_max = 1000;

struct DeliveryCursor {
  std::int64_t message = INT64_MAX;  ///< the next page begins with this message,
  std::size_t skipped = 0;           ///< after as many of its deliveries
  friend bool operator==(const DeliveryCursor&, const DeliveryCursor&) = default;
};

std::string to_string(const DeliveryCursor&);
/// nullopt: it was not made by to_string().
std::optional<DeliveryCursor> parse_delivery_cursor(std::string_view text);

}  // namespace verbatim::store
