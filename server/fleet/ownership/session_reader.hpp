// Reads a session from the fleet's database, as a store can take it over.
//
// On the thread of the connection.
#pragma once

#include <string>

#include "server/fleet/database/connection.hpp"
#include "storage/store/shipping_store.hpp"

namespace verbatim::ownership {

/// Everything of one session. An attempt that has ended comes without events; any other with all of
/// them, in the order in which its nodes wrote them. Messages that every target has received are
/// left out. A session that is only claimed has no row: then there are its client tokens alone.
database::DatabaseResult<store::Shipment> read_session(database::Connection& connection,
                                                       const std::string& session_id);

}  // namespace verbatim::ownership
