#include "storage/store/delivery_cursor.hpp"

#include "storage/store/whole_number.hpp"

namespace verbatim::store {

std::string to_string(const DeliveryCursor& cursor) {
  return std::to_string(cursor.message) + "." + std::to_string(cursor.skipped);
}

std::optional<DeliveryCursor> parse_delivery_cursor(std::string_view text) {
  const std::size_t point = text.find('.');
  if (point == std::string_view::npos) return std::nullopt;
  const auto message = whole_number(text.substr(0, point));
  const auto skipped = whole_number(text.substr(point + 1));
  if (!message || !skipped || *skipped > static_cast<std::int64_t>(deliveries_of_message_max))
    return std::nullopt;
  return DeliveryCursor{*message, static_cast<std::size_t>(*skipped)};
}

}  // namespace verbatim::store
