// Lists of the sessions of all nodes, with the conditions, orders and pages of one node's lists
// (storage/rows/session_list.hpp).
//
// On the thread of the connection.
#pragma once

#include "server/fleet/database/connection.hpp"
#include "storage/store/session_store.hpp"

namespace verbatim::reading {

/// Ignores `filter.question`. not_found: the cursor is not one of these lists.
database::DatabaseResult<store::StoreResult<store::SessionPage>> list_sessions(
    database::Connection& connection, const store::SessionFilter& filter);

}  // namespace verbatim::reading
