// How much of the stream a database elsewhere lacks (storage/store/shipping_store.hpp).
//
// On the database's thread. Opens its own snapshot; changes nothing. Throws StorageError.
#pragma once

#include <cstdint>

#include "storage/store/shipping_store.hpp"

namespace verbatim::sqlite {
class Database;
}  // namespace verbatim::sqlite

namespace verbatim::rows {

/// Counts the first `rows_max` missing events, and extrapolates beyond them.
store::ShippingBacklog shipping_backlog(sqlite::Database& database, transcript::Sequence shipped,
                                        std::int64_t rows_max);

}  // namespace verbatim::rows
