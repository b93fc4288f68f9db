#include "storage/fold.hpp"

#include "storage/database.hpp"
#include "storage/event_codec.hpp"

namespace verbatim::storage {

Folded fold(Database& database, session::AttemptId attempt, session::Sequence first_seq) {
  Folded folded;
  Query rows =
      database.query("SELECT at, body FROM journal WHERE seq >= ? AND attempt = ? ORDER BY seq");
  rows.bind(first_seq, attempt);
  while (rows.step()) {
    folded.last_at = rows.integer(0);
    if (const auto event = decode_event(rows.blob(1))) {
      folded.transcript.apply(*event, folded.last_at);
      ++folded.rows;
    } else {
      ++folded.unreadable;
    }
  }
  return folded;
}

}  // namespace verbatim::storage
