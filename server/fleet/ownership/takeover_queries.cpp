#include "server/fleet/ownership/takeover_queries.hpp"

#include <utility>

namespace verbatim::ownership {

using database::Array;
using database::Connection;
using database::DatabaseResult;
using database::Params;
using database::Rows;
using database::Statement;

namespace {

/// Limit on the sessions of dead nodes, and on the tails, that one step examines.
constexpr std::int64_t rows_max = 200;

constexpr Statement look_statement{"", R"sql(
SELECT alive, lease_until < now(), extract(epoch FROM now() - lease_until) * 1000
FROM node WHERE incarnation = $1)sql"};

// now() is the time at which the transaction began. A batch of that node that is on its way holds
// the row: then this waits, and reads the lease as that batch has renewed it.
constexpr Statement fence_statement{"", R"sql(
UPDATE node SET
  alive = false,
  fenced_by = CASE WHEN node.alive THEN $2 ELSE fenced_by END
WHERE incarnation = $1 AND (NOT node.alive OR lease_until < now())
  AND EXISTS (SELECT 1 FROM node AS me
              WHERE me.incarnation = $2 AND me.alive AND me.lease_until > now())
RETURNING node_id, shipped, fenced_by = incarnation, forgotten)sql"};

constexpr Statement take_session{"", R"sql(
UPDATE session SET node_id = me.node_id FROM node AS me
WHERE session.id = $1 AND session.node_id = $2::text::uuid AND me.incarnation = $3
  AND NOT EXISTS (SELECT 1 FROM node AS again WHERE again.node_id = $2::text::uuid AND again.alive))sql"};
constexpr Statement take_claim{"", R"sql(
UPDATE claim SET node_id = me.node_id FROM node AS me
WHERE claim.session = $1 AND claim.node_id = $2::text::uuid AND me.incarnation = $3
  AND NOT EXISTS (SELECT 1 FROM node AS again WHERE again.node_id = $2::text::uuid AND again.alive)
  AND NOT EXISTS (SELECT 1 FROM session WHERE session.id = $1 AND session.node_id <> me.node_id)
  AND NOT EXISTS (SELECT 1 FROM erased WHERE erased.session = $1 AND NOT EXISTS
                  (SELECT 1 FROM erased_on WHERE erased_on.session = $1 AND
                   erased_on.node_id = me.node_id)))sql"};
constexpr Statement note_lost{"", R"sql(
INSERT INTO lost (node_id, session) VALUES ($2::text::uuid, $1) ON CONFLICT DO NOTHING)sql"};
constexpr Statement not_lost{"", R"sql(
DELETE FROM lost USING node AS me
WHERE lost.session = $1 AND lost.node_id = me.node_id AND me.incarnation = $2)sql"};
constexpr Statement expect_tail{"", R"sql(
INSERT INTO tail (session, attempt, node_id, shipped)
SELECT session, number, $2::text::uuid, $3 FROM attempt
WHERE session = $1 AND node_id = $2::text::uuid AND ended_at IS NULL AND status <> 0
ON CONFLICT (session, attempt, node_id) DO UPDATE SET shipped = excluded.shipped, turns = NULL)sql"};
constexpr Statement take_attempts{"", R"sql(
UPDATE attempt SET node_id = me.node_id, owner = $3, path = array_append(path, $3)
FROM node AS me
WHERE attempt.session = $1 AND attempt.node_id = $2::text::uuid AND me.incarnation = $3)sql"};

constexpr Statement lost_statement{"", R"sql(
SELECT session.id, coalesce(
  (SELECT max(tail.shipped) FROM tail
   WHERE tail.session = session.id AND tail.node_id = me.node_id AND tail.turns IS NULL),
  (SELECT node.shipped FROM node WHERE node.node_id = me.node_id AND node.incarnation < $2
   ORDER BY node.incarnation DESC LIMIT 1),
  0)
FROM session, node AS me
WHERE me.incarnation = $2 AND session.node_id <> me.node_id AND
  (session.id = ANY ($1) OR
   session.id IN (SELECT tail.session FROM tail
                  WHERE tail.node_id = me.node_id AND tail.turns IS NULL) OR
   session.id IN (SELECT lost.session FROM lost WHERE lost.node_id = me.node_id)))sql"};

constexpr Statement leave_tail{"", R"sql(
INSERT INTO tail (session, attempt, node_id, shipped, turns)
SELECT $1, $2, me.node_id, $3, $4 FROM node AS me
WHERE me.incarnation = $5 AND NOT EXISTS (SELECT 1 FROM erased WHERE erased.session = $1)
ON CONFLICT (session, attempt, node_id) DO UPDATE SET turns = excluded.turns)sql"};
constexpr Statement no_more_tails{"", R"sql(
DELETE FROM tail USING node AS me
WHERE tail.session = $1 AND tail.node_id = me.node_id AND me.incarnation = $2
  AND tail.turns IS NULL)sql"};

constexpr Statement tails_statement{"", R"sql(
SELECT tail.session, tail.attempt, tail.node_id, tail.turns
FROM tail JOIN session ON session.id = tail.session
JOIN node AS me ON me.node_id = session.node_id
WHERE me.incarnation = $1 AND tail.turns IS NOT NULL
ORDER BY tail.at LIMIT $2)sql"};
constexpr Statement remove_statement{
    "", "DELETE FROM tail WHERE session = $1 AND attempt = $2 AND node_id = $3::text::uuid"};
constexpr Statement pending_statement{"", R"sql(
SELECT DISTINCT tail.session, tail.attempt
FROM tail JOIN unnest($1, $2) AS n (session, number)
  ON tail.session = n.session AND tail.attempt = n.number)sql"};

constexpr Statement orphans_statement{"", R"sql(
SELECT DISTINCT attempt.session, latest.incarnation
FROM attempt JOIN node AS owner ON owner.incarnation = attempt.owner
CROSS JOIN LATERAL (
  SELECT incarnation, lease_until FROM node WHERE node.node_id = owner.node_id
  ORDER BY incarnation DESC LIMIT 1) AS latest
WHERE attempt.ended_at IS NULL AND attempt.status <> 0
  AND latest.lease_until < now() - $1 * interval '1 millisecond'
LIMIT $2)sql"};

// An erasure becomes visible when its transaction ends, and its time is that of the beginning. So
// the recent ones are asked for again and again, by an index, and all of them now and then.
constexpr Statement recent_erasures{"", R"sql(
SELECT erased.session FROM erased, node AS me
WHERE me.incarnation = $1 AND erased.at > now() - interval '15 minutes' AND NOT EXISTS
  (SELECT 1 FROM erased_on WHERE erased_on.session = erased.session AND
   erased_on.node_id = me.node_id)
ORDER BY erased.at, erased.session LIMIT $2)sql"};
constexpr Statement all_erasures{"", R"sql(
SELECT erased.session FROM erased, node AS me
WHERE me.incarnation = $1 AND NOT EXISTS
  (SELECT 1 FROM erased_on WHERE erased_on.session = erased.session AND
   erased_on.node_id = me.node_id)
ORDER BY erased.at, erased.session LIMIT $2)sql"};
constexpr Statement confirm_erasures{"", R"sql(
INSERT INTO erased_on (session, node_id)
SELECT erased.session, me.node_id FROM erased, node AS me
WHERE erased.session = ANY ($1) AND me.incarnation = $2 AND me.alive
ON CONFLICT DO NOTHING)sql"};
constexpr Statement none_lost{"", R"sql(
DELETE FROM lost USING node AS me
WHERE lost.session = ANY ($1) AND lost.node_id = me.node_id AND me.incarnation = $2)sql"};

Array texts(const std::vector<std::string>& values) {
  Array list(Array::Element::text);
  for (const std::string& value : values) list.add(value);
  return list;
}

}  // namespace

DatabaseResult<std::optional<OtherNode>> look_at(Connection& connection, std::int64_t incarnation) {
  Params params;
  params.add(incarnation);
  auto rows = connection.run(look_statement, params);
  if (!rows) return tl::unexpected(std::move(rows.error()));
  if (rows->count() == 0) return std::optional<OtherNode>();
  OtherNode node;
  node.alive = rows->flag(0, 0);
  if (rows->flag(0, 1)) node.over_since = std::chrono::milliseconds(rows->integer(0, 2));
  return std::optional(node);
}

DatabaseResult<std::optional<Fenced>> fence(Connection& connection, std::int64_t incarnation,
                                            std::int64_t own) {
  Params params;
  params.add(incarnation).add(own);
  auto rows = connection.run(fence_statement, params);
  if (!rows) return tl::unexpected(std::move(rows.error()));
  if (rows->count() == 0) return std::optional<Fenced>();
  Fenced fenced{rows->text(0, 0), static_cast<transcript::Sequence>(rows->integer(0, 1)),
                rows->flag(0, 2)};
  fenced.forgotten = rows->flag(0, 3);
  fenced.expects_tail = !fenced.left && !fenced.forgotten;
  return std::optional(std::move(fenced));
}

DatabaseResult<bool> take(Connection& connection, const std::string& session_id, const Fenced& from,
                          std::int64_t own) {
  Params of;
  of.add_text(session_id).add_text(from.node_id).add(own);
  auto session = connection.run(take_session, of);
  if (!session) return tl::unexpected(std::move(session.error()));
  auto claim = connection.run(take_claim, of);
  if (!claim) return tl::unexpected(std::move(claim.error()));
  if (session->changed() == 0) return claim->changed() != 0;
  Params own_name;
  own_name.add_text(session_id).add(own);
  if (auto noted = connection.run(not_lost, own_name); !noted)
    return tl::unexpected(std::move(noted.error()));
  if (!from.forgotten) {
    Params other;
    other.add_text(session_id).add_text(from.node_id);
    if (auto noted = connection.run(note_lost, other); !noted)
      return tl::unexpected(std::move(noted.error()));
  }
  if (from.expects_tail) {
    Params tail;
    tail.add_text(session_id).add_text(from.node_id).add(static_cast<std::int64_t>(from.shipped));
    if (auto noted = connection.run(expect_tail, tail); !noted)
      return tl::unexpected(std::move(noted.error()));
  }
  if (auto attempts = connection.run(take_attempts, of); !attempts)
    return tl::unexpected(std::move(attempts.error()));
  return true;
}

DatabaseResult<std::vector<Lost>> find_lost(Connection& connection,
                                            const std::vector<std::string>& session_ids,
                                            std::int64_t own) {
  Params params;
  params.add(texts(session_ids)).add(own);
  auto rows = connection.run(lost_statement, params);
  if (!rows) return tl::unexpected(std::move(rows.error()));
  std::vector<Lost> lost;
  for (int row = 0; row < rows->count(); ++row)
    lost.push_back({rows->text(row, 0), static_cast<transcript::Sequence>(rows->integer(row, 1))});
  return lost;
}

DatabaseResult<> leave_tails(Connection& connection, const Lost& lost,
                             const std::vector<TailRow>& tails, std::int64_t own) {
  for (const TailRow& one : tails) {
    Params params;
    params.add_text(one.attempt.session_id)
        .add_int4(one.attempt.number)
        .add(static_cast<std::int64_t>(lost.shipped))
        .add_bytes(one.turns)
        .add(own);
    if (auto left = connection.run(leave_tail, params); !left)
      return tl::unexpected(std::move(left.error()));
  }
  Params rest;
  rest.add_text(lost.session_id).add(own);
  for (const Statement& statement : {no_more_tails, not_lost})
    if (auto done = connection.run(statement, rest); !done)
      return tl::unexpected(std::move(done.error()));
  return {};
}

DatabaseResult<std::vector<TailRow>> find_tails(Connection& connection, std::int64_t own) {
  Params params;
  params.add(own).add(rows_max);
  auto rows = connection.run(tails_statement, params);
  if (!rows) return tl::unexpected(std::move(rows.error()));
  std::vector<TailRow> tails;
  for (int row = 0; row < rows->count(); ++row)
    tails.push_back({{rows->text(row, 0), static_cast<int>(rows->integer(row, 1))},
                     rows->text(row, 2),
                     rows->bytes(row, 3)});
  return tails;
}

DatabaseResult<> remove_tail(Connection& connection, const TailRow& tail) {
  Params params;
  params.add_text(tail.attempt.session_id).add_int4(tail.attempt.number).add_text(tail.node_id);
  auto done = connection.run(remove_statement, params);
  if (!done) return tl::unexpected(std::move(done.error()));
  return {};
}

DatabaseResult<std::vector<store::AttemptName>> find_pending(
    Connection& connection, const std::vector<store::AttemptName>& attempts) {
  Array sessions(Array::Element::text);
  Array numbers(Array::Element::int4);
  for (const store::AttemptName& one : attempts) {
    sessions.add(one.session_id);
    numbers.add(one.number);
  }
  Params params;
  params.add(sessions).add(numbers);
  auto rows = connection.run(pending_statement, params);
  if (!rows) return tl::unexpected(std::move(rows.error()));
  std::vector<store::AttemptName> pending;
  for (int row = 0; row < rows->count(); ++row)
    pending.push_back({rows->text(row, 0), static_cast<int>(rows->integer(row, 1))});
  return pending;
}

DatabaseResult<std::vector<std::string>> find_erasures(Connection& connection, bool all,
                                                       std::int64_t own) {
  Params params;
  params.add(own).add(erasures_at_once);
  auto rows = connection.run(all ? all_erasures : recent_erasures, params);
  if (!rows) return tl::unexpected(std::move(rows.error()));
  return rows->texts(0);
}

DatabaseResult<> confirm_erased(Connection& connection, const std::vector<std::string>& session_ids,
                                std::int64_t own) {
  Params params;
  params.add(texts(session_ids)).add(own);
  for (const Statement& statement : {confirm_erasures, none_lost})
    if (auto done = connection.run(statement, params); !done)
      return tl::unexpected(std::move(done.error()));
  return {};
}

DatabaseResult<std::vector<Orphan>> find_orphans(Connection& connection,
                                                 std::chrono::milliseconds dead_after) {
  Params params;
  params.add(std::int64_t{dead_after.count()}).add(rows_max);
  auto rows = connection.run(orphans_statement, params);
  if (!rows) return tl::unexpected(std::move(rows.error()));
  std::vector<Orphan> orphans;
  for (int row = 0; row < rows->count(); ++row)
    orphans.push_back({rows->text(row, 0), rows->integer(row, 1)});
  return orphans;
}

}  // namespace verbatim::ownership
