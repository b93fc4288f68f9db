#include "server/traces/conversation_trace.hpp"

#include <array>
#include <new>
#include <string>
#include <utility>
#include <variant>
#include <vector>

namespace verbatim::traces {

namespace {

using transcript::CloseReason;

/// As in the header `traceparent`.
std::string hex(const TraceId& trace) { return traceparent({trace, {}, true}).substr(3, 32); }

std::string_view to_string(relay::DialReport::Outcome outcome) {
  switch (outcome) {
    case relay::DialReport::Outcome::opened:
      return "opened";
    case relay::DialReport::Outcome::refused:
      return "refused";
    case relay::DialReport::Outcome::unreachable:
      break;
  }
  return "unreachable";
}

/// How an answer ended that was open at the session's end.
std::string_view end_reason_at(CloseReason reason) {
  const bool upstream =
      reason == CloseReason::upstream_lost || reason == CloseReason::upstream_error;
  return upstream ? "connection_lost" : "interrupted";
}

/// The kinds of gaps that a transcript has.
std::vector<std::string> kinds_of(const std::array<bool, transcript::gap_kind_count>& gaps) {
  std::vector<std::string> kinds;
  for (std::size_t kind = 0; kind < gaps.size(); ++kind)
    if (gaps[kind])
      kinds.emplace_back(transcript::to_string(static_cast<transcript::GapKind>(kind)));
  return kinds;
}

}  // namespace

ConversationTrace::ConversationTrace(const relay::ObservedConversation& conversation,
                                     const SpanContext& parent,
                                     std::shared_ptr<const TraceFacts> facts, SpanQueue& queue)
    : all_facts_(std::move(facts)),
      trace_id_(hex(parent.trace)),
      maker_(queue, parent.trace, std::string(conversation.session_id),
             conversation.attempt_number),
      turns_(maker_, facts_.provider, std::string(conversation.model)) {
  if (conversation.taken_up) outage_since_ = conversation.requested_at;
  open(conversation, parent.span);
}

template <class Make>
void ConversationTrace::guarded(Make make) noexcept {
  try {
    make();
  } catch (const std::bad_alloc&) {
    maker_.lost();
  }
}

// The trace has no span for the whole conversation: such a span would be exported only at its end,
// which may be an hour away. The first span is short, exported at once, and the parent of all.
void ConversationTrace::open(const relay::ObservedConversation& conversation, SpanId parent) {
  const Moment opened = now();
  Span span =
      maker_.begin(names::session_open, SpanKind::server, conversation.requested_at, parent);
  maker_.set_root(span.id);
  span.attributes.emplace_back(names::provider, facts_.provider);
  add_plain(span, names::request_model, conversation.model);
  if (conversation.taken_up) {
    span.attributes.emplace_back(names::taken_up, true);
  } else {
    span.events.push_back(
        {names::session_started, end_after(conversation.requested_at, opened), span.attributes});
  }
  maker_.send(std::move(span), conversation.requested_at, opened);
}

void ConversationTrace::recorded(const transcript::Event& event, Moment now) {
  ++rows_;
  guarded([&] {
    if (std::holds_alternative<transcript::UpstreamOpened>(event.body)) upstream_opened(now);
    if (std::holds_alternative<transcript::UpstreamLost>(event.body)) {
      outage_since_ = now;
      dials_ = 0;
    }
    turns_.recorded(event, now);
  });
}

// ---- The provider's connections ----

void ConversationTrace::dialled(const relay::DialReport& report, Moment now) {
  ++dials_;
  last_dial_ = report.began;
  guarded([&] {
    Span span = maker_.begin(names::upstream_dial, SpanKind::client, report.began);
    span.attributes.emplace_back(names::provider, facts_.provider);
    span.attributes.emplace_back(names::server_address, facts_.server_address);
    span.attributes.emplace_back(names::server_port, facts_.server_port);
    span.attributes.emplace_back(names::purpose, outage_since_ ? "restore"
                                                 : carried_    ? "rotate"
                                                               : "first");
    span.attributes.emplace_back(names::tries, dials_);
    span.attributes.emplace_back(names::outcome, to_string(report.outcome));
    if (report.status != 0)
      span.attributes.emplace_back(names::http_status, std::int64_t{report.status});
    if (report.outcome != relay::DialReport::Outcome::opened) {
      span.failed = true;
      const std::string code = plain(report.code);
      span.attributes.emplace_back(names::error_type,
                                   code.empty() ? to_string(report.outcome) : code);
    }
    maker_.send(std::move(span), report.began, now);
  });
}

/// A connection now carries the conversation.
void ConversationTrace::upstream_opened(Moment now) {
  if (outage_since_) {
    restored("restored", now);
  } else if (carried_) {
    Span span = maker_.begin(names::upstream_rotate, SpanKind::internal, last_dial_);
    span.attributes.emplace_back(names::tries, dials_);
    span.attributes.emplace_back(names::outcome, "rotated");
    maker_.send(std::move(span), last_dial_, now);
  }
  carried_ = true;
  dials_ = 0;
}

void ConversationTrace::restored(std::string_view outcome, Moment now) {
  const Moment since = *std::exchange(outage_since_, {});
  Span span = maker_.begin(names::upstream_restore, SpanKind::internal, since);
  span.attributes.emplace_back(names::tries, dials_);
  span.attributes.emplace_back(names::outcome, outcome);
  maker_.send(std::move(span), since, now);
}

// ---- The client's connections ----

void ConversationTrace::client_lost(Moment now) { client_lost_at_ = now; }

void ConversationTrace::client_returned(bool whole, Moment now) {
  // A newer connection may replace one that is still open: then nothing was lost.
  if (!client_lost_at_) client_lost_at_ = now;
  guarded([&] { resumed(whole ? "replayed" : "snapshot", now); });
}

void ConversationTrace::resumed(std::string_view outcome, Moment now) {
  const Moment since = *std::exchange(client_lost_at_, {});
  Span span = maker_.begin(names::client_resume, SpanKind::internal, since);
  span.attributes.emplace_back(names::outcome, outcome);
  maker_.send(std::move(span), since, now);
}

// ---- The journal ----

void ConversationTrace::journal_waited(std::int64_t since_us, std::int64_t now_us, Moment now) {
  turns_.settled();
  const std::int64_t rows = std::exchange(rows_, 0);
  const std::int64_t waited_us = now_us - since_us;
  if (waited_us < std::chrono::microseconds(facts_.journal_slow).count()) return;
  guarded([&] {
    Span span = maker_.begin(names::journal, SpanKind::internal, now, turns_.innermost());
    span.start_us = wall_us(now) - waited_us;
    span.attributes.emplace_back(names::wait_ms, waited_us / 1000);
    span.attributes.emplace_back(names::rows, rows);
    maker_.send(std::move(span));
  });
}

// ---- The end ----

void ConversationTrace::ended(Moment now) {
  if (!ended_at_) ended_at_ = now;
}

void ConversationTrace::settled(const session::RealtimeSession& session, Moment now) {
  if (std::exchange(settled_, true)) return;
  if (!ended_at_) ended_at_ = now;
  guarded([&] {
    turns_.finish(end_reason_at(session.reason()), *ended_at_);
    if (outage_since_) restored(session.suspended() ? "suspended" : "given_up", *ended_at_);
    if (client_lost_at_) resumed(session.suspended() ? "suspended" : "not_returned", *ended_at_);
    close(session, now);
  });
}

void ConversationTrace::close(const session::RealtimeSession& session, Moment now) {
  Span span = maker_.begin(names::session_close, SpanKind::internal, *ended_at_);
  const bool kept = session.kept();
  const std::string_view outcome = session.suspended() ? "suspended" : "ended";
  span.attributes.emplace_back(names::outcome, kept ? outcome : "not_stored");
  if (!kept) {
    span.failed = true;
    span.attributes.emplace_back(names::error_type, "storage_failure");
  }
  if (!session.suspended()) {
    Attributes about = span.attributes;
    const session::Outcome& counted = session.outcome();
    about.emplace_back(names::close_reason, transcript::to_string(session.reason()));
    about.emplace_back(names::complete, counted.complete);
    about.emplace_back(names::turns, static_cast<std::int64_t>(counted.turns));
    about.emplace_back(names::gaps, kinds_of(counted.gaps));
    span.events.push_back({names::session_ended, end_after(*ended_at_, now), std::move(about)});
  }
  maker_.send(std::move(span), *ended_at_, now);
}

}  // namespace verbatim::traces
