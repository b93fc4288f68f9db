#include "server/fleet/reading/copy_posts.hpp"

#include <algorithm>
#include <utility>

#include "base/crypto.hpp"
#include "server/fleet/reading/session_rows.hpp"

namespace verbatim::reading {

using database::Connection;
using database::DatabaseResult;
using database::Params;
using database::Statement;
using Posted = store::SessionImage::Posted;

namespace {

constexpr Statement insert_copy{"", R"sql(
INSERT INTO copy (session, attempt, writer, digest, posted_at, body, untaken)
VALUES ($1, $2, $3, $4, $5, $6, true) ON CONFLICT DO NOTHING)sql"};

/// -1: not merged.
constexpr Statement update_attempt{"", R"sql(
UPDATE attempt SET copies = $3, copy_turns = $4, copy_bytes = $5,
  merged_turns = nullif($6, -1), merged_complete = CASE WHEN $6 >= 0 THEN $7 END
WHERE session = $1 AND number = $2)sql"};

/// An attempt that no node has begun. It belongs to the node of its session.
constexpr Statement insert_attempt{"", R"sql(
INSERT INTO attempt
  (session, number, node_id, owner, status, started_at, model, complete, gaps, usage, copies,
   copy_turns, copy_bytes, merged_turns, merged_complete)
SELECT $1, $2, session.node_id,
       coalesce((SELECT max(incarnation) FROM node WHERE node.node_id = session.node_id), 0),
       0, $8, '', false, '[]', '[]', $3, $4, $5, nullif($6, -1), CASE WHEN $6 >= 0 THEN $7 END
FROM session WHERE id = $1)sql"};

constexpr Statement left_statement{"", R"sql(
SELECT copy.session, copy.attempt, writer, digest, posted_at, body
FROM copy JOIN attempt ON attempt.session = copy.session AND attempt.number = copy.attempt
JOIN node ON node.node_id = attempt.node_id
WHERE copy.untaken AND node.incarnation = $1 AND node.alive
ORDER BY posted_at LIMIT $2)sql"};

constexpr Statement taken_statement{"", R"sql(
UPDATE copy SET untaken = false
WHERE session = $1 AND attempt = $2 AND writer = $3 AND digest = $4)sql"};

DatabaseResult<> write(Connection& connection, const store::PostedCopy& posted, const Posted& done,
                       bool attempt_is_new) {
  const store::ShippedAttempt& attempt = done.attempt;
  Params row;
  row.add_text(posted.session_id)
      .add_int4(attempt.name.number)
      .add(attempt.copies)
      .add(attempt.copy_turns)
      .add(attempt.copy_bytes)
      .add(attempt.merged_turns.value_or(-1))
      .add(attempt.merged_complete.value_or(false));
  if (attempt_is_new) row.add(std::int64_t{attempt.started_at});
  auto counted = connection.run(attempt_is_new ? insert_attempt : update_attempt, row);
  if (!counted) return tl::unexpected(std::move(counted.error()));
  Params copy;
  copy.add_text(posted.session_id)
      .add_int4(attempt.name.number)
      .add_bytes(posted.copy.writer)
      .add_bytes(sha256(done.body))
      .add(std::int64_t{posted.now})
      .add_bytes(done.body);
  auto kept = connection.run(insert_copy, copy);
  if (!kept) return tl::unexpected(std::move(kept.error()));
  return {};
}

store::StoreResult<Posted> no_such_session(const std::string& id) {
  return store::StoreResult<Posted>(
      tl::unexpect, store::StorageError(store::Failure::not_found, "there is no session " + id));
}

/// In the transaction of the caller.
DatabaseResult<store::StoreResult<Posted>> post_in_transaction(Connection& connection,
                                                               const store::PostedCopy& posted,
                                                               const store::OpenImage& open_image,
                                                               std::size_t bytes_max) {
  // The content of the attempt that it is for. Others wait meanwhile.
  const RowsWanted wanted{.one_attempt = true, .attempt = posted.attempt};
  auto found = lock_session_rows(connection, posted.session_id, wanted, bytes_max);
  if (!found) return tl::unexpected(std::move(found.error()));
  if (found->too_large > 0)
    return store::StoreResult<Posted>(
        tl::unexpect, store::StorageError(store::Failure::too_many,
                                          "the session is larger than fleet.read_bytes_max"));
  if (!found->rows) return no_such_session(posted.session_id);
  auto image = open_image(*found->rows);
  if (!image) return store::StoreResult<Posted>(tl::unexpect, std::move(image.error()));
  auto done = (*image)->post(posted);
  if (!done || !done->kept.is_new) return done;
  const auto& attempts = found->rows->attempts;
  const bool is_new = std::none_of(attempts.begin(), attempts.end(), [&](const auto& one) {
    return one.attempt.name.number == done->attempt.name.number;
  });
  if (auto written = write(connection, posted, *done, is_new); !written)
    return tl::unexpected(std::move(written.error()));
  return done;
}

}  // namespace

DatabaseResult<store::StoreResult<Posted>> post_copy(Connection& connection,
                                                     const store::PostedCopy& posted,
                                                     const store::OpenImage& open_image,
                                                     std::size_t bytes_max) {
  if (!database::is_storable_text(posted.session_id)) return no_such_session(posted.session_id);
  if (auto begun = connection.run_script("BEGIN"); !begun)
    return tl::unexpected(std::move(begun.error()));
  auto done = post_in_transaction(connection, posted, open_image, bytes_max);
  if (!done) return done;
  if (auto ended = connection.run_script(*done ? "COMMIT" : "ROLLBACK"); !ended)
    return tl::unexpected(std::move(ended.error()));
  return done;
}

DatabaseResult<std::vector<LeftCopy>> find_left_copies(Connection& connection,
                                                       std::int64_t incarnation,
                                                       std::int64_t limit) {
  Params of;
  of.add(incarnation).add(limit);
  auto rows = connection.run(left_statement, of);
  if (!rows) return tl::unexpected(std::move(rows.error()));
  std::vector<LeftCopy> left;
  for (int row = 0; row < rows->count(); ++row)
    left.push_back({{rows->text(row, 0), static_cast<int>(rows->integer(row, 1))},
                    rows->bytes(row, 2),
                    rows->bytes(row, 3),
                    rows->integer(row, 4),
                    rows->bytes(row, 5)});
  return left;
}

DatabaseResult<> note_taken(Connection& connection, const LeftCopy& copy) {
  Params of;
  of.add_text(copy.attempt.session_id)
      .add_int4(copy.attempt.number)
      .add_bytes(copy.writer)
      .add_bytes(copy.digest);
  auto done = connection.run(taken_statement, of);
  if (!done) return tl::unexpected(std::move(done.error()));
  return {};
}

}  // namespace verbatim::reading
