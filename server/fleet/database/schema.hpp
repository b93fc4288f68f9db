// The tables of the fleet's database, made in numbered steps. Each step is one transaction with its
// number.
#pragma once

#include <span>

#include "server/fleet/database/connection.hpp"

namespace verbatim::database {

/// The number of steps that this program knows.
int schema_version();

/// Makes what is missing. Refuses a database that a later version has changed so that this one
/// would harm it, and one with tables of another program. Several relays may call it at once.
DatabaseResult<> prepare_schema(Connection& connection);

}  // namespace verbatim::database
