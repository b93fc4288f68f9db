#include "server/fleet/reading/node_changes.hpp"

#include <utility>

namespace verbatim::reading {

using database::Connection;
using database::DatabaseResult;
using database::Params;
using database::Statement;

namespace {

/// 0: an operator.
constexpr Statement fence_statement{"", R"sql(
UPDATE node SET alive = false, fenced_by = 0, lease_until = now()
WHERE incarnation = $1 AND alive)sql"};

constexpr Statement forget_statement{"", R"sql(
UPDATE node SET forgotten = true WHERE node_id = $1::text::uuid AND NOT forgotten)sql"};

/// The receipts of the sessions that other nodes have taken over wait for these.
constexpr Statement await_no_tails{
    "", "DELETE FROM tail WHERE node_id = $1::text::uuid AND turns IS NULL"};

DatabaseResult<bool> changed_any(Connection& connection, const Statement& statement,
                                 const Params& params) {
  auto done = connection.run(statement, params);
  if (!done) return tl::unexpected(std::move(done.error()));
  return done->changed() > 0;
}

}  // namespace

DatabaseResult<bool> fence_node(Connection& connection, std::int64_t incarnation) {
  Params of;
  of.add(incarnation);
  return changed_any(connection, fence_statement, of);
}

DatabaseResult<bool> forget_node(Connection& connection, const std::string& node_id) {
  Params of;
  of.add_text(node_id);
  // The first statement waits for a takeover that is under way, and the second sees its tails.
  auto begun = connection.run_script("BEGIN");
  if (!begun) return tl::unexpected(std::move(begun.error()));
  auto forgotten = changed_any(connection, forget_statement, of);
  if (!forgotten) return forgotten;
  if (auto done = connection.run(await_no_tails, of); !done)
    return tl::unexpected(std::move(done.error()));
  if (auto ended = connection.run_script("COMMIT"); !ended)
    return tl::unexpected(std::move(ended.error()));
  return forgotten;
}

}  // namespace verbatim::reading
