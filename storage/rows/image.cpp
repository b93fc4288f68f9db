#include "storage/rows/image.hpp"

#include <algorithm>

#include "base/assert.hpp"
#include "storage/rows/row_writer.hpp"
#include "storage/rows/shipped_rows.hpp"

namespace verbatim::rows {
namespace {

/// Events of two nodes may have the same number: the later ones are put behind the earlier ones.
void insert_events(sqlite::Database& database, const store::ImageAttempt& from,
                   transcript::AttemptId attempt, transcript::Sequence& last) {
  for (const store::ShippedEvent& event : from.events) {
    last = std::max(event.seq, last + 1);
    insert_event(database, last, attempt, event.at, event.body);
  }
}

}  // namespace

void fill_image(sqlite::Database& database, const store::SessionRows& rows) {
  VERBATIM_EXPECTS_SLOW(!database.query("SELECT 1 FROM session").step());
  const std::int64_t session = insert_session(database, rows.session);
  transcript::Sequence last = 0;
  for (const store::ImageAttempt& one : rows.attempts) {
    const auto attempt =
        insert_attempt(database, session, one.attempt, {.id = one.attempt.name.number});
    for (const store::ShippedTurn& turn : one.turns) insert_shipped_turn(database, attempt, turn);
    for (const store::ShippedToolCall& call : one.tool_calls)
      insert_shipped_call(database, attempt, call);
    insert_events(database, one, attempt, last);
    for (const store::ShippedCopy& copy : one.copies) insert_shipped_copy(database, attempt, copy);
  }
  for (const store::ShippedToken& token : rows.tokens) insert_shipped_token(database, token);
}

}  // namespace verbatim::rows
