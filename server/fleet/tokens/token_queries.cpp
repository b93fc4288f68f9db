#include "server/fleet/tokens/token_queries.hpp"

#include <utility>

#include "server/fleet/database/shipped_rows.hpp"

namespace verbatim::tokens {

using database::Connection;
using database::DatabaseResult;
using database::Params;
using database::Statement;

namespace {

const std::string find_sql =
    database::sql("SELECT ", database::token_columns, " FROM client_secret WHERE id = $1");

constexpr Statement revoke_statement{"", R"sql(
UPDATE client_secret SET
  revoked_at = coalesce(revoked_at, $2), revocation_seen = coalesce(revocation_seen, now())
WHERE id = $1)sql"};

// A revocation becomes visible when its transaction ends, and its time is that of the beginning. So
// the recent ones are asked for again and again, by an index.
constexpr Statement recent_statement{"recent_revocations", R"sql(
SELECT id FROM client_secret
WHERE revocation_seen > now() - interval '15 minutes' AND revoked_at > 0 AND id > $1
ORDER BY id LIMIT $2)sql"};
constexpr Statement all_statement{"", R"sql(
SELECT id FROM client_secret WHERE revoked_at > 0 AND id > $1 ORDER BY id LIMIT $2)sql"};

}  // namespace

DatabaseResult<std::optional<store::ShippedToken>> find_token(Connection& connection,
                                                              const std::string& id) {
  if (!database::is_storable_text(id)) return std::nullopt;
  Params params;
  params.add_text(id);
  auto rows = connection.run({"find_token", find_sql.c_str()}, params);
  if (!rows) return tl::unexpected(std::move(rows.error()));
  if (rows->count() == 0) return std::nullopt;
  database::Columns columns(*rows, 0);
  return database::read_token(columns);
}

DatabaseResult<bool> revoke_token(Connection& connection, const std::string& id, TimeMs at) {
  if (!database::is_storable_text(id)) return false;
  Params params;
  params.add_text(id).add(std::int64_t{at});
  auto done = connection.run(revoke_statement, params);
  if (!done) return tl::unexpected(std::move(done.error()));
  return done->changed() != 0;
}

DatabaseResult<std::vector<std::string>> find_revoked(Connection& connection, bool all,
                                                      const std::string& after) {
  Params params;
  params.add_text(after).add(revoked_at_once);
  auto rows = connection.run(all ? all_statement : recent_statement, params);
  if (!rows) return tl::unexpected(std::move(rows.error()));
  return rows->texts(0);
}

}  // namespace verbatim::tokens
