#include "server/fleet/reading/node_list.hpp"

#include <utility>

namespace verbatim::reading {

using database::Connection;
using database::DatabaseResult;
using database::Rows;
using database::Statement;

namespace {

constexpr Statement nodes_statement{"", R"sql(
SELECT node.node_id, incarnation, url, version, schema, alive, fenced_by,
       (extract(epoch FROM started_at) * 1000)::bigint,
       (extract(epoch FROM lease_until - now()) * 1000)::bigint, shipped,
       (SELECT count(*) FROM attempt WHERE attempt.node_id = node.node_id AND ended_at IS NULL AND
               status <> 0),
       (SELECT count(*) FROM copy JOIN attempt ON attempt.session = copy.session AND
               attempt.number = copy.attempt
        WHERE copy.untaken AND attempt.node_id = node.node_id),
       lag_ms, forgotten
FROM node JOIN (SELECT max(incarnation) AS latest FROM node GROUP BY node_id) AS newest
  ON node.incarnation = newest.latest
ORDER BY incarnation)sql"};

constexpr Statement schema_statement{"", "SELECT version FROM verbatim_schema"};

relay::FleetNode node_in(const Rows& rows, int row) {
  relay::FleetNode node;
  node.node_id = rows.text(row, 0);
  node.incarnation = rows.integer(row, 1);
  node.url = rows.text(row, 2);
  node.version = rows.text(row, 3);
  node.schema = static_cast<int>(rows.integer(row, 4));
  node.alive = rows.flag(row, 5);
  if (!rows.is_null(row, 6)) node.fenced_by = rows.integer(row, 6);
  node.started_at = rows.integer(row, 7);
  node.lease_ms = rows.integer(row, 8);
  node.shipped = rows.integer(row, 9);
  node.sessions = rows.integer(row, 10);
  node.left_copies = rows.integer(row, 11);
  node.lag_ms = rows.integer(row, 12);
  node.forgotten = rows.flag(row, 13);
  return node;
}

}  // namespace

DatabaseResult<relay::Fleet> list_nodes(Connection& connection) {
  relay::Fleet fleet;
  auto schema = connection.run(schema_statement);
  if (!schema) return tl::unexpected(std::move(schema.error()));
  if (schema->count() == 1) fleet.schema = static_cast<int>(schema->integer(0, 0));
  auto rows = connection.run(nodes_statement);
  if (!rows) return tl::unexpected(std::move(rows.error()));
  for (int row = 0; row < rows->count(); ++row) fleet.nodes.push_back(node_in(*rows, row));
  return fleet;
}

std::vector<relay::FleetNode> nodes_named(const relay::Fleet& fleet, const std::string& name) {
  constexpr std::size_t shortest_beginning = 8;  // the first group of a UUID
  std::vector<relay::FleetNode> whole;
  std::vector<relay::FleetNode> begin;
  for (const relay::FleetNode& node : fleet.nodes) {
    if (node.node_id == name || std::to_string(node.incarnation) == name || node.url == name)
      whole.push_back(node);
    else if (name.size() >= shortest_beginning && node.node_id.starts_with(name))
      begin.push_back(node);
  }
  return whole.empty() ? begin : whole;
}

void NodeList::read(store::Done<relay::Fleet> done) {
  reader_.run<relay::Fleet>({}, true, list_nodes, [done](DatabaseResult<relay::Fleet> fleet) {
    if (fleet) return done(*std::move(fleet));
    done(
        tl::unexpected(store::StorageError(store::Failure::fleet_database, fleet.error().message)));
  });
}

}  // namespace verbatim::reading
