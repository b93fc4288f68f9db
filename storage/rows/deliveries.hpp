// The deliveries of webhook messages as an operator sees them (storage/store/delivery_store.hpp).
//
// On the database's thread; each function is part of the caller's transaction. All throw
// StorageError.
#pragma once

#include <cstdint>
#include <optional>
#include <string>
#include <vector>

#include "storage/store/delivery_store.hpp"

namespace verbatim::sqlite {
class Database;
}  // namespace verbatim::sqlite

namespace verbatim::rows {

store::DeliveryPage list_deliveries(sqlite::Database& database, const store::DeliveryFilter& filter,
                                    const std::vector<store::DeliveryTarget>& targets);
store::RetriedDelivery retry_delivery(sqlite::Database& database, const std::string& id,
                                      const std::vector<store::DeliveryTarget>& targets);

/// Deliveries that were tried and did not succeed, oldest first.
std::vector<store::Delivery> undelivered(sqlite::Database& database, bool dead_only);
/// Puts dead deliveries back to waiting, those of one message or all. Returns how many.
std::int64_t redrive(sqlite::Database& database, const std::optional<std::string>& public_id);

}  // namespace verbatim::rows
