// The names of server/fleet/database that this room uses everywhere.
#pragma once

#include "server/fleet/database/connection.hpp"
#include "server/fleet/database/database_error.hpp"
#include "server/fleet/database/params.hpp"
#include "server/fleet/database/schema.hpp"
#include "server/fleet/database/store_call.hpp"

namespace verbatim::shipping {

using database::advice_for;
using database::Array;
using database::Connection;
using database::database_error;
using database::DatabaseError;
using database::DatabaseResult;
using database::of_store;
using database::Params;
using database::prepare_schema;
using database::public_reason;
using database::Rows;
using database::schema_version;
using database::Statement;
using database::StoreCall;
using database::Trouble;

}  // namespace verbatim::shipping
