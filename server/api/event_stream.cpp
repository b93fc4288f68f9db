#include "server/api/event_stream.hpp"

#include <algorithm>
#include <utility>

#include "base/json/tree.hpp"

namespace verbatim::api {

namespace {

using store::TailState;
using transcript::SessionStatus;

/// The pause before a browser reconnects, in ms. Sent at once, so that the head of the answer
/// leaves.
constexpr const char* preamble = "retry: 1000\n\n";
constexpr const char* heartbeat = ":\n\n";

std::string session_json(const TailState& state) {
  const transcript::TranscriptView& head = state.head;
  const auto time = [](const auto& at) { return at ? Json(iso_time(*at)) : Json(); };
  Json shown = {
      {"session_id", head.session_id},
      {"attempt", head.attempt},
      {"status", transcript::to_string(head.status)},
      {"started_at", time(head.started_at)},
      {"ended_at", time(head.ended_at)},
      {"close_reason",
       head.close_reason ? Json(transcript::to_string(*head.close_reason)) : Json()},
      {"complete", head.complete},
      {"turns", state.turns.size()},
      {"tool_calls", state.calls.size()},
      {"receipt", head.receipt ? Json::parse(transcript::render_receipt(*head.receipt)) : Json()}};
  for (const transcript::Gap& gap : head.gaps)
    if (gap.kind == transcript::GapKind::tail_pending) shown["tail_pending"] = "node";
  return shown.dump();
}

}  // namespace

EventStream::EventStream(LiveFeed& feed, std::unique_ptr<LiveFeed::Permit> permit,
                         store::TailStart start, const std::optional<store::TailMark>& seen,
                         std::function<bool()> may_watch, std::shared_ptr<void> memory,
                         const net::Executor& executor)
    : feed_(feed),
      permit_(std::move(permit)),
      start_(std::move(start)),
      may_watch_(std::move(may_watch)),
      memory_(std::move(memory)),
      ends_at_(net::Clock::now() + feed.settings().connection_max) {
  if (seen && !start_.foreign_mark && !seen->final && seen->attempt == start_.key.attempt)
    seen_ = seen->number;
  if (!start_.ended) event_ = feed_.follow(start_.key, seen_, executor);
}

net::Awaitable<std::string> EventStream::next() {
  std::string out;
  if (!begun_) {
    begun_ = true;
    beat_at_ = net::Clock::now() + feed_.settings().heartbeat;
    if (start_.before) take_end(*std::exchange(start_.before, nullptr));
    if (start_.ended && batch_.empty()) {
      take_end(*std::exchange(start_.ended, nullptr));
      over_ = true;
    }
    out = preamble;
    co_return out;
  }
  while (!abandoned_ && may_watch_()) {
    if (sent_ < batch_.size()) {
      out = piece();
      beat_at_ = net::Clock::now() + feed_.settings().heartbeat;
      break;
    }
    if (start_.ended) {
      take_end(*std::exchange(start_.ended, nullptr));
      over_ = true;
      continue;
    }
    const bool closed = feed_.closed();
    const auto at = net::Clock::now();
    if (over_ || at >= ends_at_) break;
    auto state = feed_.newest(start_.key);
    if (state && state != shown_) {
      take(std::move(state));
      continue;
    }
    if (closed) break;
    if (at >= beat_at_) {
      beat_at_ = at + feed_.settings().heartbeat;
      out = heartbeat;
      break;
    }
    co_await event_->wait_until(std::min(beat_at_, ends_at_));
  }
  co_return out;
}

/// Turns come before the tool calls behind them.
void EventStream::add_unseen(const TailState& state, const TailState* before, std::uint64_t seen) {
  for (auto& turn : store::unseen(state.turns, before, seen))
    batch_.push_back({std::move(turn), nullptr, {}});
  for (auto& call : store::unseen(state.calls, before, seen))
    batch_.push_back({nullptr, std::move(call), {}});
}

const char* EventStream::Event::name() const {
  if (turn) return "turn";
  return call ? "tool_call" : "session";
}

const std::string& EventStream::Event::data() const {
  if (turn) return turn->json;
  return call ? call->json : session;
}

/// Turns first, so that a subscriber that sees the end has seen all.
void EventStream::take_end(const TailState& end) {
  batch_.clear();
  sent_ = 0;
  mark_ = end.mark;
  add_unseen(end, nullptr, 0);
  batch_.push_back({nullptr, nullptr, session_json(end)});
}

void EventStream::take(std::shared_ptr<const TailState> state) {
  batch_.clear();
  sent_ = 0;
  if (!start_.before && !start_.ended) memory_.reset();
  mark_ = state->mark;
  const TailState* const before = shown_.get();
  const bool is_final = state->head.status == SessionStatus::final;
  over_ = is_final || state->gone;
  if (!state->gone) {
    const bool shows_session = !before || is_final || before->head.status != state->head.status ||
                               before->turns.size() > state->turns.size() ||
                               before->calls.size() > state->calls.size();
    const bool first = shows_session && !is_final && !before;
    if (first) batch_.push_back({nullptr, nullptr, session_json(*state)});
    add_unseen(*state, before, seen_);
    if (shows_session && !first) batch_.push_back({nullptr, nullptr, session_json(*state)});
  }
  shown_ = std::move(state);
}

std::string EventStream::piece() {
  std::string out;
  while (sent_ < batch_.size() && out.size() < piece_bytes) {
    const Event& event = batch_[sent_];
    if (sent_of_event_ == 0) {
      out.append("event: ").append(event.name()).append("\n");
      // The id says that the client has the whole state, so only its last event carries it.
      if (sent_ + 1 == batch_.size())
        out.append("id: ").append(store::to_string(mark_)).append("\n");
      out.append("data: ");
    }
    const std::string& data = event.data();
    const std::size_t room = std::max<std::size_t>(piece_bytes, out.size() + 1) - out.size();
    const std::size_t part = std::min(data.size() - sent_of_event_, room);
    out.append(data, sent_of_event_, part);
    sent_of_event_ += part;
    if (sent_of_event_ < data.size()) break;
    out.append("\n\n");
    sent_of_event_ = 0;
    ++sent_;
    ++feed_.counts().events;
  }
  return out;
}

void EventStream::abandon(bool slow) {
  if (slow) ++feed_.counts().dropped;
  abandoned_ = true;
  if (event_) event_->notify();
}

}  // namespace verbatim::api
