#include "session/client_link.hpp"

#include <algorithm>

#include "base/assert.hpp"

namespace verbatim::session {

namespace {

/// Share of the resume buffer retained while the client is attached: a quarter. A client that is
/// attached can only miss messages on their way; an absent one misses more.
constexpr std::size_t kept_while_there_part = 4;

/// How long a returned client's snapshot is held if the client does not send first.
constexpr std::int64_t listen_pause_ms = 100;

}  // namespace

ClientLink::ClientLink(const ClientLimits& limits, const protocol::ClientDialect* dialect,
                       bool extension_events)
    : limits_(limits),
      dialect_(dialect),
      extension_events_(extension_events),
      outbox_(limits.resume_window_ms > 0 ? limits.resume_buffer_bytes_max / kept_while_there_part
                                          : 0) {}

// ---- Messages ----

void ClientLink::received(protocol::Message& message) {
  release();
  if (dialect_ != nullptr) dialect_->to_provider(message);
}

void ClientLink::answer(protocol::Message message, transcript::Sequence needs) {
  if (!attached_ && !detached_) return;
  if (dialect_ != nullptr && !dialect_->to_client(message)) return;
  outbox_.push(std::move(message), needs);
  note_pushed(needs);
  if (detached_) outbox_.shed(limits_.resume_buffer_bytes_max);
}

void ClientLink::push(protocol::Message message) {
  outbox_.push(std::move(message), 0);
  note_pushed(0);
}

void ClientLink::push_first(protocol::Message message) {
  outbox_.push_front(std::move(message));
  note_pushed(0);
}

void ClientLink::push_last_words(protocol::Message message) {
  release();
  if (dialect_ != nullptr) dialect_->to_client(message);
  push_first(std::move(message));
}

void ClientLink::note_pushed(transcript::Sequence needs) {
  note(Change::client_writable);
  if (needs != 0) note(Change::awaits_journal);
  if (queue_full()) note(Change::deadline);
}

protocol::MessagePtr ClientLink::take() {
  const bool was_full = queue_full();
  protocol::MessagePtr taken = outbox_.take();
  if (was_full) note(Change::client_readable | Change::upstream_readable);
  if (outbox_.head_needs() != 0) note(Change::awaits_journal);
  return taken;
}

void ClientLink::drop_unsaved(transcript::Sequence durable) {
  outbox_.drop_unsaved(durable);
  note(Change::client_writable | Change::client_readable | Change::upstream_readable);
}

void ClientLink::release() {
  if (!outbox_.holds()) return;
  outbox_.release();
  note(Change::client_writable | Change::deadline | Change::awaits_journal);
}

// ---- Its connection ----

bool ClientLink::gone(const LinkEnd& end, bool session_goes_on) {
  VERBATIM_EXPECTS(attached_);
  attached_ = false;
  note(Change::upstream_readable);
  // A client that closes cleanly is done. A page that is left or reloaded (1001) may come back.
  const bool may_return =
      session_goes_on && limits_.resume_window_ms > 0 && (!end.clean || end.close_code == 1001);
  if (!may_return) outbox_.clear();
  return may_return;
}

void ClientLink::detach(transcript::CloseReason reason, const std::string& why, Moment now) {
  VERBATIM_EXPECTS(!attached_);
  detached_ = Detached{reason, why, now.mono_ms + limits_.resume_window_ms,
                       now.mono_ms + limits_.transcription_grace_ms};
  note(Change::counts | Change::deadline);
  outbox_.release();
  outbox_.shed(limits_.resume_buffer_bytes_max);
}

bool ClientLink::attach(const ClientReturn& how) {
  note(Change::counts | Change::client_writable | Change::client_readable |
       Change::upstream_readable | Change::deadline | Change::awaits_journal);
  attached_ = true;
  detached_.reset();
  stuck_since_ms_ = 0;
  extension_events_ = how.extension_events;
  // Retained messages are in the dialect of the connection that they were written for.
  const bool same_dialect = std::exchange(dialect_, how.dialect) == how.dialect;
  if (!same_dialect || !how.after || !outbox_.can_resume_after(*how.after)) return false;
  outbox_.resume_after(*how.after);
  return true;
}

void ClientLink::restart(std::uint64_t after) { outbox_.restart(after); }

void ClientLink::hold_next(bool but_one, Moment now) {
  outbox_.hold_behind(outbox_.next_number() + (but_one ? 1 : 0));
  held_until_ms_ = now.mono_ms + listen_pause_ms;
  note(Change::deadline);
}

bool ClientLink::end() {
  detached_.reset();
  outbox_.release();
  if (!attached_) outbox_.clear();
  note(Change::counts | Change::client_writable | Change::awaits_journal);
  return attached_;
}

// ---- Time ----

std::optional<std::pair<transcript::CloseReason, std::string>> ClientLink::window_over(Moment now) {
  if (!detached_ || now.mono_ms < detached_->until_ms) return std::nullopt;
  Detached over = *std::exchange(detached_, std::nullopt);
  outbox_.clear();
  note(Change::counts);
  return std::pair(over.reason, std::move(over.why));
}

bool ClientLink::commit_due(Moment now) {
  if (!detached_ || now.mono_ms < detached_->commit_at_ms) return false;
  detached_->commit_at_ms = never;
  return true;
}

void ClientLink::speech_began() {
  if (detached_) note(Change::deadline);
}

void ClientLink::time_passed(Moment now) {
  if (held_until_ms_ == 0 || now.mono_ms < held_until_ms_) return;
  held_until_ms_ = 0;
  release();
}

bool ClientLink::is_too_slow(Moment now, transcript::Sequence durable) {
  if (!is_behind(durable)) {
    stuck_since_ms_ = 0;
    return false;
  }
  if (stuck_since_ms_ == 0 || taken_then_ != outbox_.taken()) {
    stuck_since_ms_ = now.mono_ms;
    taken_then_ = outbox_.taken();
    return false;
  }
  return now.mono_ms >= stuck_since_ms_ + limits_.slow_timeout_ms;
}

std::int64_t ClientLink::next_deadline_ms(transcript::Sequence durable, bool speech_open) const {
  std::int64_t next = held_until_ms_ != 0 ? held_until_ms_ : never;
  if (detached_) {
    next = std::min(next, detached_->until_ms);
    if (speech_open) next = std::min(next, detached_->commit_at_ms);
  }
  if (is_behind(durable))
    next = std::min(next, stuck_since_ms_ == 0 ? 0 : stuck_since_ms_ + limits_.slow_timeout_ms);
  return next;
}

void ClientLink::journal_moved(transcript::Sequence durable) {
  if (!attached_ || !outbox_.ready(durable)) return;
  note(Change::client_writable);
  if (queue_full()) note(Change::deadline);
}

}  // namespace verbatim::session
