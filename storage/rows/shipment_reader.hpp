// Reads shipments (storage/store/shipping_store.hpp): events, and the changed rows as they are now.
//
// Used by one thread, on the database's thread. Changes nothing. Throws StorageError.
#pragma once

#include <cstddef>
#include <cstdint>
#include <unordered_map>
#include <vector>

#include "storage/rows/change_tracking.hpp"
#include "storage/store/shipping_store.hpp"

namespace verbatim::rows {

class ShipmentReader {
 public:
  /// Opens its own snapshot. An empty shipment without `more` has the `upto` that was asked for.
  store::Shipment read(sqlite::Database& database, transcript::Sequence after,
                       const store::ShipmentLimits& limits, bool catch_up);

 private:
  struct Named {
    store::AttemptName name;
    transcript::Sequence taken_upto = 0;  ///< events up to here came from the database elsewhere
  };
  using Names = std::unordered_map<transcript::AttemptId, Named>;

  /// Kept from read to read, and dropped after an erasure: a row's id may then be used again.
  Names names_;
  std::int64_t erasures_ = 0;
};

}  // namespace verbatim::rows
