#include "server/api/delivery_json.hpp"

#include "base/clock.hpp"
#include "base/json/dump.hpp"
#include "base/json/tree.hpp"

namespace verbatim::api {

namespace {

Json try_json(const store::DeliveryTry& one) {
  return {{"number", one.number},        {"at", iso_time(one.at)},
          {"latency_ms", one.took_ms},   {"status", one.status == 0 ? Json() : Json(one.status)},
          {"error", or_null(one.error)}, {"answer", one.answer}};
}

/// When the next try is due. null: there is none, or it is due as soon as its turn comes.
Json next_try_json(const store::Delivery& delivery) {
  constexpr TimeMs at_once = 1;
  const TimeMs due = delivery.message.due_at;
  if (delivery.state != store::DeliveryState::waiting || due <= at_once) return nullptr;
  return iso_time(due);
}

}  // namespace

Json to_json(const store::DeliveryRecord& record) {
  const store::WebhookMessage& message = record.delivery.message;
  Json attempts = Json::array();
  for (const store::DeliveryTry& one : record.tries) attempts.push_back(try_json(one));
  return {{"id", record.id},
          {"message", message.public_id},
          {"type", store::to_string(message.kind)},
          {"session_id", message.session_id},
          {"attempt", message.attempt},
          {"item_id", or_null(message.item_id)},
          {"target", record.delivery.target},
          {"state", store::to_string(record.delivery.state)},
          {"created_at", iso_time(message.created_at)},
          {"tries", message.tries},
          {"next_try_at", next_try_json(record.delivery)},
          {"last_error", or_null(message.last_error)},
          {"attempts", attempts}};
}

Json to_json(const store::DeliveryPage& page) {
  Json deliveries = Json::array();
  for (const store::DeliveryRecord& record : page.deliveries) deliveries.push_back(to_json(record));
  return {{"deliveries", deliveries}, {"next_cursor", or_null(page.next_cursor)}};
}

}  // namespace verbatim::api
