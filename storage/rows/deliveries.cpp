#include "storage/rows/deliveries.hpp"

#include <algorithm>
#include <cstdint>
#include <tuple>

#include "base/json/tree.hpp"
#include "storage/rows/message_row.hpp"
#include "storage/sqlite/database.hpp"
#include "storage/store/delivery_cursor.hpp"

namespace verbatim::rows {

namespace {

using store::DeliveryState;

store::DeliveryCursor start_of(const std::string& cursor) {
  if (cursor.empty()) return {};
  if (const auto start = store::parse_delivery_cursor(cursor)) return *start;
  throw store::unknown_cursor();
}

/// The tables, beginning with the smallest that the filter allows.
std::string tables_for(const store::DeliveryFilter& filter) {
  if (filter.session_id)
    return "FROM session CROSS JOIN attempt ON attempt.session = session.id "
           "CROSS JOIN message INDEXED BY message_of_attempt ON message.attempt = attempt.id "
           "CROSS JOIN delivery ON delivery.message = message.id ";
  const char* const index = filter.state == DeliveryState::waiting ? "INDEXED BY delivery_waiting "
                            : filter.state == DeliveryState::dead  ? "INDEXED BY delivery_dead "
                                                                   : "";
  return std::string("FROM delivery ") + index +
         "CROSS JOIN message ON message.id = delivery.message "
         "CROSS JOIN attempt ON attempt.id = message.attempt "
         "CROSS JOIN session ON session.id = attempt.session ";
}

std::string condition_of(std::optional<DeliveryState> state) {
  if (!state) return "";
  return " AND delivery.state = " + std::to_string(static_cast<int>(*state));
}

/// Deliveries with a row. One that the target did not want, or whose record has expired, is not
/// shown.
void add_begun(sqlite::Database& database, const store::DeliveryFilter& filter, std::int64_t from,
               std::size_t limit, std::vector<store::Delivery>& found) {
  sqlite::Query rows = database.query(
      "SELECT " + message_columns + ", delivery.target, delivery.state " + tables_for(filter) +
      "WHERE delivery.message <= ?1 AND (?2 IS NULL OR session.public_id = ?2) AND "
      "(?3 IS NULL OR delivery.target = ?3) AND NOT (delivery.state = 1 AND delivery.tries = 0) "
      "AND "
      "message.done_at IS NOT 0" +
      condition_of(filter.state) +
      " ORDER BY delivery.message DESC, delivery.target DESC LIMIT ?4");
  rows.bind(from, filter.session_id, filter.target, static_cast<std::int64_t>(limit));
  while (rows.step())
    found.push_back({read_message(rows), rows.text(message_column_count),
                     static_cast<DeliveryState>(rows.integer(message_column_count + 1))});
}

Json json_of(const std::vector<store::DeliveryTarget>& targets) {
  Json list = Json::array();
  for (const auto& target : targets) list.push_back({{"n", target.name}, {"w", target.wanted}});
  return list;
}

/// Deliveries that have no row yet: they wait.
void add_untried(sqlite::Database& database, const store::DeliveryFilter& filter,
                 const std::vector<store::DeliveryTarget>& targets, std::int64_t from,
                 std::size_t limit, std::vector<store::Delivery>& found) {
  sqlite::Query rows = database.query(
      "SELECT " + message_columns + ", value ->> 'n' AS name " +
      "FROM message INDEXED BY message_pending CROSS JOIN attempt ON attempt.id = message.attempt "
      "CROSS JOIN session ON session.id = attempt.session CROSS JOIN json_each(?1) "
      "LEFT JOIN delivery ON delivery.message = message.id AND delivery.target = value ->> 'n' "
      "WHERE message.done_at IS NULL AND message.id <= ?2 AND (value ->> 'w' >> message.kind) & 1 "
      "AND delivery.message IS NULL AND (?3 IS NULL OR session.public_id = ?3) AND "
      "(?4 IS NULL OR name = ?4) ORDER BY message.id DESC, name DESC LIMIT ?5");
  const std::string list = json_of(targets).dump();
  rows.bind(list, from, filter.session_id, filter.target, static_cast<std::int64_t>(limit));
  while (rows.step())
    found.push_back({read_message(rows), rows.text(message_column_count), DeliveryState::waiting});
}

std::vector<store::DeliveryTry> tries_of(sqlite::Database& database,
                                         const store::Delivery& delivery) {
  std::vector<store::DeliveryTry> tries;
  sqlite::Query rows = database.query(
      "SELECT number, at, took_ms, status, error, answer FROM delivery_try "
      "WHERE message = ? AND target = ? ORDER BY number");
  rows.bind(delivery.message.id, delivery.target);
  while (rows.step())
    tries.push_back({static_cast<int>(rows.integer(0)), rows.integer(1), rows.integer(2),
                     static_cast<int>(rows.integer(3)), rows.text(4), rows.text(5)});
  return tries;
}

store::DeliveryRecord record_of(sqlite::Database& database, store::Delivery delivery) {
  store::DeliveryRecord record;
  record.id = store::delivery_id(delivery.message.public_id, delivery.target);
  record.tries = tries_of(database, delivery);
  record.delivery = std::move(delivery);
  return record;
}

/// The `msg_` id of the message of a delivery; empty if `delivery` has another form.
std::string message_of(const std::string& delivery) {
  constexpr std::string_view prefix = "dlv_";
  const std::size_t end = delivery.rfind('_');
  if (!delivery.starts_with(prefix) || end <= prefix.size()) return {};
  return "msg_" + delivery.substr(prefix.size(), end - prefix.size());
}

/// All deliveries of the message that a list would show, begun or not.
std::vector<store::Delivery> deliveries_of(sqlite::Database& database, const std::string& message,
                                           const std::vector<store::DeliveryTarget>& targets) {
  const std::string of_message =
      " FROM message CROSS JOIN attempt ON attempt.id = message.attempt "
      "CROSS JOIN session ON session.id = attempt.session ";
  std::vector<store::Delivery> found;
  {
    sqlite::Query rows = database.query(
        "SELECT " + message_columns + ", delivery.target, delivery.state" + of_message +
        "CROSS JOIN delivery ON delivery.message = message.id WHERE message.public_id = ? "
        "AND NOT (delivery.state = 1 AND delivery.tries = 0) AND message.done_at IS NOT 0");
    rows.bind(message);
    while (rows.step())
      found.push_back({read_message(rows), rows.text(message_column_count),
                       static_cast<DeliveryState>(rows.integer(message_column_count + 1))});
  }
  sqlite::Query rows = database.query(
      "SELECT " + message_columns + ", value ->> 'n'" + of_message +
      "CROSS JOIN json_each(?1) LEFT JOIN delivery ON delivery.message = message.id AND "
      "delivery.target = value ->> 'n' WHERE message.public_id = ?2 AND message.done_at IS NULL "
      "AND (value ->> 'w' >> message.kind) & 1 AND delivery.message IS NULL");
  const std::string list = json_of(targets).dump();
  rows.bind(list, message);
  while (rows.step())
    found.push_back({read_message(rows), rows.text(message_column_count), DeliveryState::waiting});
  return found;
}

}  // namespace

store::DeliveryPage list_deliveries(sqlite::Database& database, const store::DeliveryFilter& filter,
                                    const std::vector<store::DeliveryTarget>& targets) {
  const store::DeliveryCursor start = start_of(filter.cursor);
  sqlite::Savepoint snapshot(database);
  const std::size_t limit = filter.limit + start.skipped + 1;
  std::vector<store::Delivery> found;
  add_begun(database, filter, start.message, limit, found);
  if (filter.state.value_or(DeliveryState::waiting) == DeliveryState::waiting)
    add_untried(database, filter, targets, start.message, limit, found);
  std::sort(found.begin(), found.end(), [](const auto& one, const auto& other) {
    return std::tie(one.message.id, one.target) > std::tie(other.message.id, other.target);
  });
  store::DeliveryPage page;
  store::DeliveryCursor next = start;
  std::size_t of_message = 0;  // deliveries of the current message, also those of the page before
  std::int64_t current = 0;
  for (store::Delivery& delivery : found) {
    of_message = delivery.message.id == current ? of_message + 1 : 1;
    current = delivery.message.id;
    if (current == start.message && of_message <= start.skipped) continue;
    if (page.deliveries.size() == filter.limit) {
      page.next_cursor = to_string(next);
      break;
    }
    next = {current, of_message};
    page.deliveries.push_back(record_of(database, std::move(delivery)));
  }
  return page;
}

store::RetriedDelivery retry_delivery(sqlite::Database& database, const std::string& id,
                                      const std::vector<store::DeliveryTarget>& targets) {
  using Outcome = store::RetriedDelivery::Outcome;
  store::RetriedDelivery retried;
  const std::string message = message_of(id);
  for (store::Delivery& delivery : deliveries_of(database, message, targets)) {
    if (store::delivery_id(message, delivery.target) != id) continue;
    const bool configured = std::any_of(targets.begin(), targets.end(), [&](const auto& target) {
      return target.name == delivery.target;
    });
    if (delivery.state == DeliveryState::delivered) {
      retried.outcome = Outcome::delivered;
    } else if (!configured) {
      retried.outcome = Outcome::no_target;
    } else {
      // 1 is long ago, and differs from 0: an end with 0 still waits for copies.
      database
          .query(
              "UPDATE delivery SET due_at = 1, tries = iif(state = 2, 0, tries), "
              "refusals = iif(state = 2, 0, refusals), state = 0 "
              "WHERE message = ? AND target = ? AND state <> 1")
          .bind(delivery.message.id, delivery.target)
          .run();
      retried.outcome = Outcome::due;
      if (delivery.state == DeliveryState::dead)
        delivery.message.tries = delivery.message.refusals = 0;
      delivery.state = DeliveryState::waiting;
      delivery.message.due_at = 1;
    }
    retried.record = record_of(database, std::move(delivery));
    break;
  }
  return retried;
}

std::vector<store::Delivery> undelivered(sqlite::Database& database, bool dead_only) {
  std::vector<store::Delivery> found;
  sqlite::Query rows = database.query("SELECT " + message_columns +
                                      ", delivery.target, delivery.state FROM delivery "
                                      "JOIN message ON message.id = delivery.message "
                                      "JOIN attempt ON attempt.id = message.attempt "
                                      "JOIN session ON session.id = attempt.session "
                                      "WHERE state = 2 OR "
                                      "(state = 0 AND (tries > 0 OR last_error <> '') AND NOT ?) "
                                      "ORDER BY message.id, delivery.target");
  rows.bind(dead_only);
  while (rows.step())
    found.push_back({read_message(rows), rows.text(message_column_count),
                     static_cast<DeliveryState>(rows.integer(message_column_count + 1))});
  return found;
}

std::int64_t redrive(sqlite::Database& database, const std::optional<std::string>& public_id) {
  database
      .query(
          "UPDATE delivery SET state = 0, tries = 0, refusals = 0, due_at = 0 WHERE state = 2 AND "
          "(?1 IS NULL OR message IN (SELECT id FROM message WHERE public_id = ?1))")
      .bind(public_id)
      .run();
  return database.changes();
}

}  // namespace verbatim::rows
