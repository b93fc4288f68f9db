#include "session/upstream_link.hpp"

#include <algorithm>

#include "base/assert.hpp"

namespace verbatim::session {

namespace {

/// After carrying the conversation for this long, a connection counts as good: the loss of it
/// starts a new series of reconnect attempts.
constexpr std::int64_t good_connection_ms = 10'000;

/// The slowest rate expected of items on their way to a new connection; sets the deadline.
constexpr std::int64_t slowest_line_bytes_per_ms = 256;

/// The next connection is prepared after this share of the time until the provider ends the
/// session.
constexpr std::int64_t rotate_share_percent = 92;

}  // namespace

Changes UpstreamLink::take_changes() {
  // A rotation that is due waits for silence, and any input may have caused silence.
  if (rotation_waits_) note(Change::dial);
  return std::exchange(changes_, Changes());
}

// ---- The connections ----

std::optional<UpstreamId> UpstreamLink::take_dial(Moment now, bool silent, bool takes_items) {
  if (!wants_dial(now, silent)) return std::nullopt;
  if (std::exchange(dial_wanted_, false)) {
    current_.emplace(*provider_, ++dialled_, /*rebuilds=*/false, limits_.item_bytes_max);
    note(Change::upstream_writable);
    return dialled_;
  }
  rotation_waits_ = false;
  next_.emplace(*provider_, ++dialled_, /*rebuilds=*/true, limits_.item_bytes_max, takes_items);
  return dialled_;
}

bool UpstreamLink::wants_dial(Moment now, bool silent) const {
  if (next_) return false;
  return dial_wanted_ || (outage_ && now.mono_ms >= outage_->retry_at_ms) ||
         (rotation_due(now) && silent);
}

bool UpstreamLink::rotation_due(Moment now) const {
  return current_ && !outage_ && rotate_at_ms_ != 0 && now.mono_ms >= rotate_at_ms_;
}

void UpstreamLink::rotate_at(std::int64_t at_ms) {
  rotate_at_ms_ = at_ms;
  rotation_waits_ = false;
  note(Change::deadline | Change::dial);
}

void UpstreamLink::opened(UpstreamId id, Moment now) {
  note(Change::upstream_writable | Change::deadline);
  if (is_next(id)) {
    next_->opened();
    prepare_deadline_ms_ = now.mono_ms + limits_.created_timeout_ms;
  } else if (is_current(id)) {
    current_->opened();
    created_deadline_ms_ = now.mono_ms + limits_.created_timeout_ms;
  }
}

void UpstreamLink::prepared(Moment now) {
  note(Change::upstream_writable | Change::awaits_journal | Change::deadline);
  prepare_deadline_ms_ = now.mono_ms + limits_.created_timeout_ms;
}

bool UpstreamLink::carry_over(Moment now) {
  VERBATIM_EXPECTS(next_.has_value());
  const bool after_loss = !current_;
  current_ = std::exchange(next_, std::nullopt);
  outage_.reset();
  expired_ = provider_error_ = false;
  carried_since_ms_ = now.mono_ms;
  note(Change::superfluous | Change::upstream_writable | Change::dial | Change::deadline);
  return after_loss;
}

void UpstreamLink::drop(std::optional<UpstreamConnection>& connection) {
  if (!connection) return;
  connection.reset();
  note(Change::superfluous | Change::dial | Change::deadline);
}

bool UpstreamLink::may_reconnect(Moment now) {
  if (limits_.reconnect.attempts_max == 0) return false;
  const bool soon = carried_since_ms_ != 0 && now.mono_ms - carried_since_ms_ < good_connection_ms;
  soon ? backoff_.failed() : backoff_.reset();
  return !backoff_.exhausted();
}

void UpstreamLink::begin_outage(transcript::CloseReason reason, const std::string& why,
                                Moment now) {
  outage_ = Outage{reason, why, now.mono_ms + backoff_.pause()};
  rotate_at(0);
}

bool UpstreamLink::next_failed(Moment now) {
  drop(next_);
  if (!outage_) {  // the old connection is still good: try again later
    rotate_at(now.mono_ms + limits_.reconnect.pause_max_ms);
    return true;
  }
  backoff_.failed();
  if (backoff_.exhausted()) return false;
  outage_->retry_at_ms = now.mono_ms + backoff_.pause();
  return true;
}

void UpstreamLink::start_over() {
  drop(current_);
  dial_wanted_ = true;
  created_ = expired_ = provider_error_ = false;
  clear();
  note(Change::dial);
}

void UpstreamLink::take_up(Outage outage) {
  VERBATIM_EXPECTS(dialled_ == 0);
  created_ = true;
  dial_wanted_ = false;
  dialled_ = 1;
  outage_ = std::move(outage);
  note(Change::dial | Change::deadline);
}

void UpstreamLink::plan_rotation(std::int64_t expires_at_s, Moment now) {
  if (limits_.rotate_after_ms == 0) return;
  std::int64_t in_ms = limits_.rotate_after_ms;
  if (expires_at_s > 0) {
    const std::int64_t left_ms = expires_at_s * 1000 - now.wall;
    in_ms = std::min(in_ms, std::max<std::int64_t>(0, left_ms) * rotate_share_percent / 100);
  }
  rotate_at(now.mono_ms + in_ms);
}

// ---- The provider's messages ----

void UpstreamLink::said_error(const transcript::ProviderError& error) {
  provider_error_ = true;
  last_error_ = error.code.empty() ? error.type : error.code;
  expired_ = expired_ || provider_->meaning(error) == protocol::ErrorMeaning::session_expired;
}

std::string in_our_words(const LinkEnd& end, const std::string& last_error) {
  std::string words = end.clean ? "close code " + std::to_string(end.close_code) : end.reason;
  if (!last_error.empty()) words += ", error " + last_error;
  return words;
}

std::pair<transcript::CloseReason, std::string> UpstreamLink::loss(const LinkEnd& end) const {
  const std::string words = in_our_words(end, last_error_);
  if (expired_ || (end.clean && provider_->is_session_limit(end.close_code, end.reason)))
    return {transcript::CloseReason::session_expired, "the provider's session limit: " + words};
  if (!end.clean)
    return {transcript::CloseReason::upstream_lost,
            "the connection to the provider was lost: " + words};
  if (provider_error_ || end.close_code >= 4000 || end.close_code == 1011)
    return {transcript::CloseReason::upstream_error, "the provider ended the session: " + words};
  return {transcript::CloseReason::upstream_closed, "the provider closed the connection: " + words};
}

// ---- Messages for the provider ----

void UpstreamLink::push(protocol::MessagePtr message, transcript::Sequence needs) {
  outbox_.push(std::move(message), needs);
  note(Change::upstream_writable);
  if (needs != 0) note(Change::awaits_journal);
}

void UpstreamLink::push_first(protocol::MessagePtr message, transcript::Sequence needs) {
  outbox_.push_front(std::move(message), needs);
  note(Change::upstream_writable);
  if (needs != 0) note(Change::awaits_journal);
}

std::vector<Outbox::Waiting> UpstreamLink::withdraw() {
  note(Change::client_readable);
  return outbox_.withdraw();
}

void UpstreamLink::clear() {
  outbox_.clear();
  note(Change::client_readable);
}

void UpstreamLink::drop_unsaved(transcript::Sequence durable) {
  outbox_.drop_unsaved(durable);
  if (next_) next_->outbox().drop_unsaved(durable);
  note(Change::client_readable | Change::upstream_writable);
}

Outbox* UpstreamLink::find_outbox(UpstreamId id) {
  if (is_next(id)) return &next_->outbox();
  if (!is_current(id)) return nullptr;
  return current_->outbox().empty() ? &outbox_ : &current_->outbox();
}

const Outbox* UpstreamLink::outbox_of(UpstreamId id) const {
  return const_cast<UpstreamLink*>(this)->find_outbox(id);
}

UpstreamLink::Taken UpstreamLink::take(UpstreamId id, transcript::Sequence durable,
                                       const transcript::Transcript& transcript,
                                       transcript::Sequence needs) {
  Outbox* const outbox = find_outbox(id);
  VERBATIM_EXPECTS(outbox != nullptr && outbox->ready(durable));
  const bool was_full = queue_full();
  protocol::MessagePtr taken = outbox->take();
  if (was_full) note(Change::client_readable);
  const bool of_conversation = outbox == &outbox_;
  if (!of_conversation && is_next(id)) next_->feed(transcript, needs);
  // After the last message of a connection's own outbox, the conversation's first may wait.
  if (!of_conversation || outbox->head_needs() != 0) note(Change::awaits_journal);
  return {std::move(taken), of_conversation};
}

bool UpstreamLink::waits_for(transcript::Sequence durable) const {
  return outbox_.head_needs() > durable || (next_ && next_->outbox().head_needs() > durable);
}

void UpstreamLink::journal_moved(transcript::Sequence durable) {
  if (outbox_.ready(durable) || (current_ && current_->outbox().ready(durable)) ||
      (next_ && next_->outbox().ready(durable)))
    note(Change::upstream_writable);
}

// ---- Time ----

/// Large items extend the deadline, so that a slow line has time for them.
std::int64_t UpstreamLink::prepare_deadline_ms() const {
  return prepare_deadline_ms_ +
         static_cast<std::int64_t>(next_->unanswered_bytes()) / slowest_line_bytes_per_ms;
}

UpstreamLink::Late UpstreamLink::time_passed(Moment now, bool silent) {
  rotation_waits_ = !next_ && rotation_due(now) && !silent;
  if (wants_dial(now, silent)) note(Change::dial);
  if (current_ && current_->is_open() && !created_ && now.mono_ms >= created_deadline_ms_)
    return Late::created;
  if (next_ && next_->is_open() && now.mono_ms >= prepare_deadline_ms()) return Late::preparation;
  return Late::nothing;
}

std::int64_t UpstreamLink::next_deadline_ms() const {
  std::int64_t next = never;
  if (current_ && current_->is_open() && !created_) next = std::min(next, created_deadline_ms_);
  if (next_ && next_->is_open()) next = std::min(next, prepare_deadline_ms());
  if (outage_ && !next_) next = std::min(next, outage_->retry_at_ms);
  if (current_ && !next_ && rotate_at_ms_ != 0 && !rotation_waits_)
    next = std::min(next, rotate_at_ms_);
  return next;
}

}  // namespace verbatim::session
