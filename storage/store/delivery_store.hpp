// The deliveries of webhook messages, as an operator sees them.
//
// Any thread.
#pragma once

#include <cstddef>
#include <cstdint>
#include <optional>
#include <string>
#include <vector>

#include "storage/store/call.hpp"
#include "storage/store/webhook_store.hpp"

namespace verbatim::store {

/// A target as it is configured.
struct DeliveryTarget {
  std::string name;
  unsigned wanted = 0;  ///< the kinds of messages that it wants, one bit each
};

struct DeliveryFilter {
  std::optional<std::string> target;
  std::optional<DeliveryState> state;
  std::optional<std::string> session_id;
  std::size_t limit = 50;
  std::string cursor;  ///< next_cursor of the page before; empty for the first page
};

/// One call of a target.
struct DeliveryTry {
  int number = 0;  ///< counts from 1, also across the redrives of a dead letter
  TimeMs at = 0;
  std::int64_t took_ms = 0;
  int status = 0;  ///< 0: no answer
  std::string error;
  std::string answer;  ///< the beginning of the answer's body, UTF-8
};

struct DeliveryRecord {
  std::string id;  ///< of this message to this target
  Delivery delivery;
  std::vector<DeliveryTry> tries;  ///< the latest, oldest first
};

struct DeliveryPage {
  std::vector<DeliveryRecord> deliveries;  ///< newest message first
  std::string next_cursor;                 ///< empty on the last page
};

struct RetriedDelivery {
  enum class Outcome { due, not_found, delivered, no_target };
  Outcome outcome = Outcome::not_found;
  std::optional<DeliveryRecord> record;  ///< as it is now; set if it was found
};

/// The id of a message's delivery to a target: letters, digits and '_'.
std::string delivery_id(const std::string& message, const std::string& target);

class DeliveryStore {
 public:
  virtual ~DeliveryStore() = default;

  /// `targets`: all current ones; a message that none of them was sent yet is waiting for each that
  /// wants it.
  virtual void list_deliveries(DeliveryFilter filter, std::vector<DeliveryTarget> targets,
                               ReadLabel label, Done<DeliveryPage> done) = 0;
  /// Makes a dead or waiting delivery due now.
  virtual void retry_delivery(std::string id, std::vector<DeliveryTarget> targets,
                              Done<RetriedDelivery> done) = 0;
};

}  // namespace verbatim::store
