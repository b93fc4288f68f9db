// A database of a fleet in the program's PostgreSQL: connections to it, its tables, and nodes that
// have entered it.
#pragma once

#include <cstdint>
#include <string>
#include <utility>

#include <catch2/catch.hpp>

#include "server/fleet/database/connection.hpp"
#include "server/fleet/database/schema.hpp"
#include "tests/support/postgres.hpp"

namespace verbatim::testing {

struct FleetDatabase {
  Postgres& server = Postgres::shared();
  const std::string name = server.make_database();
  config::Fleet settings = fleet_settings(server.url(name));

  std::string sql(const std::string& text) const {
    std::string out = server.sql(name, text);
    while (out.ends_with('\n')) out.pop_back();
    return out;
  }
  database::Connection connect() const {
    auto opened = database::Connection::open(settings, "test", -1);
    if (!opened) FAIL(opened.error().message);
    return *std::move(opened);
  }
  /// A connection; the tables are there.
  database::Connection prepared() const {
    database::Connection connection = connect();
    if (const auto ready = database::prepare_schema(connection); !ready)
      FAIL(ready.error().message);
    return connection;
  }
  /// A node with a lease from now on: an interval of SQL.
  void enter(std::int64_t incarnation, const std::string& node_id,
             const std::string& lease = "1 hour", int shipped = 0) const {
    sql("INSERT INTO node (incarnation, node_id, run, url, version, schema, shipped, lease_until) "
        "VALUES (" +
        std::to_string(incarnation) + ", '" + node_id + "', 'r', 'https://" + node_id.front() +
        "', '1', 1, " + std::to_string(shipped) + ", now() + interval '" + lease + "')");
  }
};

}  // namespace verbatim::testing
