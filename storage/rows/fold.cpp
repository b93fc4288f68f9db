#include "storage/rows/fold.hpp"

#include <algorithm>
#include <utility>
#include <variant>

#include "storage/rows/event_codec.hpp"
#include "storage/sqlite/database.hpp"

namespace verbatim::rows {

Folded fold(sqlite::Database& database, transcript::AttemptId attempt,
            transcript::Sequence first_seq, FoldInto into, transcript::Sequence upto) {
  Folded folded;
  sqlite::Query attempt_row = database.query("SELECT started_at FROM attempt WHERE id = ?");
  if (attempt_row.bind(attempt).step()) folded.transcript.not_before(attempt_row.integer(0));
  if (into.spill) folded.transcript.spill_to(std::move(into.spill), into.items_in_memory);
  sqlite::Query rows = database.query(
      "SELECT at, body FROM journal WHERE seq >= ? AND seq <= ? AND attempt = ? ORDER BY seq");
  rows.bind(first_seq, upto, attempt);
  while (rows.step()) {
    const TimeMs at = rows.integer(0);
    folded.last_at = std::max(folded.last_at, at);
    if (auto event = decode_event(rows.blob(1))) {
      folded.transcript.apply(*event, at);
      if (auto* const changed = std::get_if<transcript::SettingsChanged>(&event->body))
        folded.settings_json = std::move(changed->json);
      ++folded.rows;
    } else {
      ++folded.unreadable;
    }
  }
  return folded;
}

}  // namespace verbatim::rows
