#include "storage/rows/recovering.hpp"

#include <algorithm>

#include "storage/rows/event_codec.hpp"
#include "storage/rows/row_writer.hpp"

namespace verbatim::rows {

void leave_open(sqlite::Database& database, transcript::AttemptId attempt, const Folded& folded,
                transcript::Sequence seq, TimeMs now, bool counts) {
  const auto turns = folded.transcript.turns();
  const bool open = std::any_of(turns.begin(), turns.end(), [](const transcript::Turn& turn) {
    return turn.status == transcript::TurnStatus::in_progress;
  });
  if (open || folded.transcript.is_answering()) {
    const transcript::Event lost{{},
                                 transcript::UpstreamLost{std::string(transcript::to_string(
                                     transcript::CloseReason::crash_recovered))}};
    insert_event(database, seq, attempt, folded.last_at, encode_event(lost));
  }
  leave_recovering(database, attempt, now, counts);
}

}  // namespace verbatim::rows
