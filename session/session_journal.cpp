#include "session/session_journal.hpp"

#include <variant>

namespace verbatim::session {

namespace {

/// While the journal's queue is crowded, it still accepts this much of an item.
constexpr std::size_t always_room_for_bytes = 64 * 1024;

}  // namespace

std::optional<SessionJournal::Recorded> SessionJournal::record(transcript::Event& event,
                                                               transcript::Transcript& transcript,
                                                               TimeMs at, bool announces_turns) {
  if (auto* truncated = std::get_if<transcript::ItemTruncated>(&event.body)) {
    truncated->audio_sent_ms =
        transcript.audio_sent_ms(truncated->item_id, truncated->content_index);
  }
  bound_details(event, transcript);
  const transcript::Transcript::Applied applied = transcript.apply(event, at);
  if (applied.repeat) return Recorded{};
  const transcript::Taken appended = journal_.append(attempt_, at, event);
  Recorded recorded{appended.sequence, appended.bytes};
  for (const std::string& item_id : applied.changed) {
    if (recorded.needs == 0) break;
    const auto turn = transcript.ended_turn(item_id);
    if (!turn) continue;
    const transcript::Taken settled = journal_.settle(attempt_, *turn);
    recorded.needs = settled.sequence;
    recorded.bytes += settled.bytes;
    if (recorded.needs != 0 && announces_turns)
      settled_turns_.emplace_back(item_id, recorded.needs);
  }
  if (recorded.needs == 0) return std::nullopt;
  last_ = recorded.needs;
  recorded_bytes_ += recorded.bytes;
  if (recorded_bytes_ >= limits_.share_bytes) {
    recorded_bytes_ = 0;
    waits_for_share_ = last_;
    changes_ |= Change::awaits_journal;
  }
  return recorded;
}

// The journal has the JSON of an item once, and never that of an item above the size limit.
void SessionJournal::bound_details(transcript::Event& event,
                                   const transcript::Transcript& transcript) const {
  transcript::for_each_item(event, [&](transcript::Item& item) {
    if (item.detail.empty()) return;
    if (transcript.has_detail(item)) {
      item.detail.clear();
    } else if (item.kind == transcript::ItemKind::message &&
               item.detail.size() > limits_.item_bytes_max) {
      item.detail = transcript::detail_too_large;
    } else if (item.kind == transcript::ItemKind::message &&
               item.detail.size() > always_room_for_bytes && journal_.crowded()) {
      item.detail = transcript::detail_not_kept;
    }
  });
}

void SessionJournal::mark(transcript::SessionStatus status) {
  if (const transcript::Sequence marked = journal_.mark(attempt_, status)) last_ = marked;
}

void SessionJournal::close(transcript::Ending ending) {
  final_ = journal_.close(attempt_, std::move(ending));
}

bool SessionJournal::suspend(const transcript::Handover& handover) {
  final_ = journal_.suspend(attempt_, handover);
  return final_ != 0;
}

}  // namespace verbatim::session
