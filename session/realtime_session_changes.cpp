// What an input changed: noted where the state changes, so that the driver need not ask. Part of
// RealtimeSession, on its thread.
#include <utility>

#include "base/assert.hpp"
#include "session/realtime_session.hpp"

namespace verbatim::session {

Changes RealtimeSession::take_changes() {
  // A rotation that is due waits for silence, and any input may have brought it.
  if (rotation_waits_) note(Change::dial);
  return std::exchange(changes_, Changes());
}

/// Messages were dropped: there is room for more, and another may be the head.
void RealtimeSession::note_dropped() {
  note(Change::client_readable | Change::upstream_readable | Change::client_writable |
       Change::upstream_writable);
  if (to_client_.head_needs() != 0) note(Change::awaits_journal);
}

/// Messages that were held for a client which has only just returned may leave.
void RealtimeSession::release_client() {
  if (!to_client_.holds()) return;
  to_client_.release();
  note(Change::client_writable | Change::deadline);
}

void RealtimeSession::queue_upstream(MessagePtr message, Sequence needs) {
  to_upstream_.push(std::move(message), needs);
  note(Change::upstream_writable);
  if (needs != 0) note(Change::awaits_journal);
}

void RealtimeSession::queue_upstream_first(MessagePtr message, Sequence needs) {
  to_upstream_.push_front(std::move(message), needs);
  note(Change::upstream_writable);
  if (needs != 0) note(Change::awaits_journal);
}

void RealtimeSession::drop_connection(std::optional<UpstreamConnection>& connection) {
  if (!connection) return;
  connection.reset();
  note(Change::superfluous | Change::dial | Change::deadline);
}

MessagePtr RealtimeSession::take_for_client() {
  const bool was_full = client_queue_full();
  MessagePtr taken = to_client_.take();
  if (was_full) note(Change::client_readable | Change::upstream_readable);
  if (to_client_.head_needs() != 0) note(Change::awaits_journal);
  return taken;
}

MessagePtr RealtimeSession::take_for(UpstreamId upstream) {
  Outbox* const outbox = upstream_outbox(upstream);
  VERBATIM_EXPECTS(outbox != nullptr);
  const bool was_full = to_upstream_.bytes() >= options_.upstream_queue_bytes_max;
  MessagePtr taken = outbox->take();
  if (next_ && outbox == &next_->outbox()) next_->feed(transcript_, last_sequence_);
  if (outbox == &to_upstream_ && !unanswered_.empty()) unanswered_.sent(taken);
  if (outbox == &to_upstream_ && !settings_requests_.empty()) settings_requests_.sent(taken);
  if (was_full) note(Change::client_readable);
  const Outbox* const left = upstream_outbox(upstream);
  if (left->head_needs() != 0) note(Change::awaits_journal);
  return taken;
}

Changes RealtimeSession::journal_moved(Moment now) {
  if (journal_.failed()) return journal_failed(now);
  const Sequence durable = journal_.durable();
  if (client_attached_ && to_client_.ready(durable)) {
    note(Change::client_writable);
    if (client_queue_full()) note(Change::deadline);
  }
  if (to_upstream_.ready(durable) || (current_ && current_->outbox().ready(durable)) ||
      (next_ && next_->outbox().ready(durable)))
    note(Change::upstream_writable);
  if (wants_client()) note(Change::client_readable);
  if (wants_upstream()) note(Change::upstream_readable);
  if (settled()) note(Change::settled);
  if (waits_for_journal(durable)) note(Change::awaits_journal);
  return take_changes();
}

}  // namespace verbatim::session
