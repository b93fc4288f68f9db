#include "server/fleet/directory/home_queries.hpp"

#include <utility>

namespace verbatim::directory {

using database::Array;
using database::Connection;
using database::DatabaseResult;
using database::Params;
using database::Statement;

namespace {

constexpr Statement find_statement{"find_homes", R"sql(
SELECT wanted.id, home.incarnation, home.url, home.node_id = me.node_id
FROM unnest($1) AS wanted (id)
JOIN node AS me ON me.incarnation = $2
LEFT JOIN session AS made ON made.id = wanted.id
LEFT JOIN claim ON claim.session = wanted.id
CROSS JOIN LATERAL (
  SELECT node.incarnation, node.url, node.node_id FROM node
  WHERE node.node_id = coalesce(made.node_id, claim.node_id)
  ORDER BY node.incarnation DESC LIMIT 1) AS home)sql"};

constexpr Statement claim_statement{"claim_homes", R"sql(
INSERT INTO claim (session, node_id)
SELECT wanted.id, me.node_id FROM unnest($1) AS wanted (id), node AS me
WHERE me.incarnation = $2 AND me.alive
  AND NOT EXISTS (SELECT 1 FROM session AS made WHERE made.id = wanted.id)
  AND NOT EXISTS (SELECT 1 FROM erased WHERE erased.session = wanted.id AND NOT EXISTS
                  (SELECT 1 FROM erased_on WHERE erased_on.session = wanted.id AND
                   erased_on.node_id = me.node_id))
ON CONFLICT DO NOTHING)sql"};

/// A session's own row takes the place of its claim. A claim without one was never used: its node
/// would have shipped the session, unless the database was unreachable all that time.
constexpr Statement delete_statement{"", R"sql(
DELETE FROM claim WHERE
  (at < now() - interval '1 hour' AND
   EXISTS (SELECT 1 FROM session AS made WHERE made.id = claim.session)) OR
  at < now() - interval '30 days')sql"};

Params params_of(const std::vector<std::string>& session_ids, std::int64_t incarnation) {
  Array ids(Array::Element::text);
  for (const std::string& id : session_ids) ids.add(id);
  Params params;
  params.add(ids).add(incarnation);
  return params;
}

}  // namespace

DatabaseResult<Homes> find_homes(Connection& connection,
                                 const std::vector<std::string>& session_ids,
                                 std::int64_t incarnation) {
  auto rows = connection.run(find_statement, params_of(session_ids, incarnation));
  if (!rows) return tl::unexpected(std::move(rows.error()));
  Homes homes;
  for (int row = 0; row < rows->count(); ++row) {
    relay::SessionHome home;
    home.node = {rows->integer(row, 1), rows->text(row, 2)};
    home.where =
        rows->flag(row, 3) ? relay::SessionHome::Where::here : relay::SessionHome::Where::elsewhere;
    homes.emplace(rows->text(row, 0), std::move(home));
  }
  return homes;
}

DatabaseResult<> claim(Connection& connection, const std::vector<std::string>& session_ids,
                       std::int64_t incarnation) {
  auto done = connection.run(claim_statement, params_of(session_ids, incarnation));
  if (!done) return tl::unexpected(std::move(done.error()));
  return {};
}

DatabaseResult<> delete_old_claims(Connection& connection) {
  auto done = connection.run(delete_statement);
  if (!done) return tl::unexpected(std::move(done.error()));
  return {};
}

}  // namespace verbatim::directory
