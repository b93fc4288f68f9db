// The columns of a webhook message and one delivery of it.
//
// For statements that name the tables message, attempt, session and delivery.
#pragma once

#include <string>

#include "storage/sqlite/query.hpp"
#include "storage/store/webhook_store.hpp"

namespace verbatim::rows {

inline const std::string message_columns =
    "message.id, message.public_id, kind, session.public_id, attempt.number, item_id, "
    "message.created_at, coalesce(delivery.tries, 0), coalesce(delivery.due_at, 0), "
    "coalesce(delivery.last_error, ''), session.id, coalesce(delivery.refusals, 0) ";
inline constexpr int message_column_count = 12;

/// Reads the columns at the front of the row.
store::WebhookMessage read_message(const sqlite::Query& row);

}  // namespace verbatim::rows
