#include "storage/rows/message_row.hpp"

namespace verbatim::rows {

store::WebhookMessage read_message(const sqlite::Query& row) {
  store::WebhookMessage message;
  message.id = row.integer(0);
  message.public_id = row.text(1);
  message.kind = static_cast<store::WebhookKind>(row.integer(2));
  message.session_id = row.text(3);
  message.attempt = static_cast<int>(row.integer(4));
  message.item_id = row.text(5);
  message.created_at = row.integer(6);
  message.tries = static_cast<int>(row.integer(7));
  message.due_at = row.integer(8);
  message.last_error = row.text(9);
  message.lane = row.integer(10);
  message.refusals = static_cast<int>(row.integer(11));
  return message;
}

}  // namespace verbatim::rows
