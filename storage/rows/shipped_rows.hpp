// Rows as they are shipped between stores (storage/store/shipping_store.hpp): written into this
// store, and read from it.
//
// On the database's thread, in the caller's transaction. Throws StorageError.
#pragma once

#include <optional>

#include "storage/store/shipping_store.hpp"

namespace verbatim::sqlite {
class Database;
}  // namespace verbatim::sqlite

namespace verbatim::rows {

/// The session's row, with the tokens that have used it. Returns its id.
std::int64_t insert_session(sqlite::Database& database, const store::ShippedSession& session);

/// Columns of an attempt that each store has for itself.
struct AttemptHere {
  std::optional<transcript::AttemptId> id = std::nullopt;  ///< none: the next one
  transcript::Sequence first_seq = 0;
  transcript::Sequence taken_upto = 0;
  bool tail_pending = false;
};
transcript::AttemptId insert_attempt(sqlite::Database& database, std::int64_t session,
                                     const store::ShippedAttempt& attempt,
                                     const AttemptHere& here = {});

void insert_shipped_turn(sqlite::Database& database, transcript::AttemptId attempt,
                         const store::ShippedTurn& turn);
void insert_shipped_call(sqlite::Database& database, transcript::AttemptId attempt,
                         const store::ShippedToolCall& call);
void insert_shipped_copy(sqlite::Database& database, transcript::AttemptId attempt,
                         const store::ShippedCopy& copy);
/// A token that is there already is revoked if this one is.
void insert_shipped_token(sqlite::Database& database, const store::ShippedToken& token);

/// nullopt: there is none.
std::optional<store::ShippedAttempt> read_shipped_attempt(sqlite::Database& database,
                                                          transcript::AttemptId attempt);

}  // namespace verbatim::rows
