#include "server/relay/session_driver.hpp"

#include <algorithm>
#include <array>
#include <boost/asio/co_spawn.hpp>
#include <new>
#include <utility>

#include "session/protocol/message_kind.hpp"

namespace verbatim::server {

namespace {

using session::CloseReason;
using std::chrono::duration_cast;
using std::chrono::microseconds;
using std::chrono::milliseconds;

bool is_end(const Received& received) {
  switch (received.kind) {
    case Received::Kind::message:
    case Received::Kind::binary:
    case Received::Kind::too_slow:
    case Received::Kind::too_big:
      return false;
    case Received::Kind::closed:
    case Received::Kind::failed:
    case Received::Kind::bad_frame:
      break;
  }
  return true;
}

/// Ids and error codes of the first items that an upstream connection could not be given, for the
/// log. An id may come from a client: write only as much as identifies it.
std::string first_of(const std::vector<session::Rebuild::Missing>& left_out,
                     const std::vector<session::Rebuild::Missing>& refused) {
  constexpr std::size_t items_max = 20;
  constexpr std::size_t id_bytes_max = 64;
  std::string list;
  std::size_t count = 0;
  for (const auto* items : {&left_out, &refused}) {
    for (const session::Rebuild::Missing& one : *items) {
      if (count++ == items_max) return list + ", ...";
      if (!list.empty()) list += ", ";
      list += one.item_id.substr(0, id_bytes_max) + ": " + one.why;
    }
  }
  return list;
}

}  // namespace

SessionDriver::SessionDriver(Worker& worker, session::RealtimeSession session,
                             session::Journal& journal, std::unique_ptr<Peer> client,
                             const Upstream& upstream, DriverOptions options, Log& log)
    : worker_(worker),
      session_(std::move(session)),
      journal_(journal),
      upstream_(upstream),
      options_(std::move(options)),
      log_(log),
      loops_(worker.executor()),
      time_(worker.executor()),
      settled_(worker.executor()) {
  // The client's loops start first, so that a client that leaves while the provider is dialled is
  // noticed. It may have left during the upgrade.
  if (client) add_client(std::move(client), options_.credential_id);
}

Awaitable<void> SessionDriver::run() {
  spawn(keep_time(), nullptr);
  pump();
  co_await loops_.joined();
  while (!session_.settled()) {
    worker_.await_journal(*this);
    if (!session_.settled()) co_await settled_.wait();
  }
  worker_.forget(*this);
}

void SessionDriver::add_client(std::unique_ptr<Peer> peer, const std::string& credential_id) {
  Link& link = links_.emplace_back(worker_.executor());
  link.credential_id = credential_id;
  link.peer = std::move(peer);
  client_ = &link;
  spawn(link, read_client(link));
  spawn(link, write_client(link));
}

bool SessionDriver::attach(std::unique_ptr<Peer>& client, const session::ClientReturn& how,
                           const std::string& credential_id) {
  if (session_.ended()) return false;
  if (client_) replace(*client_);
  try {
    session_.client_returned(how, now());
  } catch (const session::SpillError& error) {
    end(CloseReason::storage_failure, error.what());
    return false;
  }
  add_client(std::move(client), credential_id);
  time_.notify();
  pump();
  return true;
}

void SessionDriver::replace(Link& link) {
  link.replaced = true;
  link.abort_at = Clock::now() + 2 * options_.close_timeout;
  link.readable.notify();
  link.writable.notify();
  if (&link == client_) client_ = nullptr;
}

void SessionDriver::spawn(Link& link, Awaitable<void> loop) {
  ++link.loops;
  spawn(std::move(loop), &link);
}

void SessionDriver::spawn(Awaitable<void> loop, Link* link) {
  loops_.enter();
  try {
    asio::co_spawn(worker_.executor(), std::move(loop),
                   [this, link](const std::exception_ptr& bug) { on_loop_exit(link, bug); });
  } catch (...) {
    on_loop_exit(
        link,
        std::current_exception());  // the loop has not begun, so only this call reports its end
  }
}

void SessionDriver::on_loop_exit(Link* link, const std::exception_ptr& bug) {
  if (bug) {
    try {
      std::rethrow_exception(bug);
    } catch (const std::exception& error) {
      log_.error("session.bug",
                 {{"session", session_.identity().session_id}, {"what", error.what()}});
    }
    end(CloseReason::upstream_error, "internal error");
  }
  if (link && --link->loops == 0) {
    if (link == client_) client_ = nullptr;
    links_.remove_if([link](const Link& one) { return &one == link; });
  }
  loops_.leave();
}

void SessionDriver::greet(std::string message) {
  session_.to_client().push(session::Message{std::move(message), 0, session::MessageKind::other},
                            0);
}

void SessionDriver::end(CloseReason reason, const std::string& why) {
  session_.end(reason, why, now());
  pump();
}

void SessionDriver::suspend(const std::string& why) {
  session_.suspend(why, now());
  pump();
}

void SessionDriver::journal_moved() {
  if (journal_.failed()) session_.journal_failed(now());
  pump();
}

void SessionDriver::pump() {
  while (const auto upstream = session_.take_dial(now())) {
    Link& link = links_.emplace_back(worker_.executor());
    link.upstream = *upstream;
    spawn(link, run_upstream(link));
  }
  while (!wake_links()) {
  }
  // The last input may have set an earlier deadline.
  if (session_.next_deadline_ms() < awake_at_ms_) time_.notify();
  if (session_.counts() != reported_ || session_.detached() != detached_reported_) report();
}

void SessionDriver::report() {
  const auto now_counted = session_.counts();
  const auto before = std::exchange(reported_, now_counted);
  Tally& tally = worker_.tally();
  tally.client_messages_refused.add(now_counted.refused_client_messages -
                                    before.refused_client_messages);
  tally.clients_resumed.add(now_counted.resumed - before.resumed);
  tally.clients_resumed_with_snapshot.add(now_counted.resumed_with_snapshot -
                                          before.resumed_with_snapshot);
  tally.upstream_reconnects.add(now_counted.reconnected - before.reconnected);
  tally.upstream_rotations.add(now_counted.rotated - before.rotated);
  report_responses();
  tally.own_requests_refused.add(now_counted.own_requests_refused - before.own_requests_refused);
  tally.rebuild_items_given.add(now_counted.items_given - before.items_given);
  tally.rebuild_items_left_out.add(now_counted.items_left_out - before.items_left_out);
  tally.rebuild_items_refused.add(now_counted.items_refused - before.items_refused);
  const bool detached_before = std::exchange(detached_reported_, session_.detached());
  // Adding the largest value subtracts one: unsigned counters wrap around.
  if (detached_before) tally.sessions_detached.add(~std::uint64_t{0});
  if (detached_reported_) tally.sessions_detached.add();
  const std::string& id = session_.identity().session_id;
  for (std::size_t why = 0; why < session::unplaced_kinds; ++why)
    tally.unplaced_texts[why].add(now_counted.unplaced_texts[why] - before.unplaced_texts[why]);
  if (before.unplaced_texts == decltype(before.unplaced_texts){} &&
      now_counted.unplaced_texts != before.unplaced_texts)
    log_.warn("transcript.text_unplaced",
              {{"session", id},
               {"what",
                "the provider sent what no turn can hold; the transcript says that it is "
                "not complete; verbatim_unplaced_text_total counts it"}});
  if (now_counted.own_requests_refused != before.own_requests_refused)
    log_.warn("upstream.request_refused", {{"session", id}, {"code", session_.refused_code()}});
  if (now_counted.lost != before.lost) log_.warn("upstream.lost", {{"session", id}});
  if (now_counted.reconnected != before.reconnected)
    log_.info("upstream.restored", {{"session", id}});
  if (now_counted.rotated != before.rotated) log_.info("upstream.rotated", {{"session", id}});
  const session::Rebuild& rebuild = session_.last_rebuild();
  if (now_counted.rebuilds == before.rebuilds || rebuild.whole()) return;
  log_.warn("upstream.not_whole", {{"session", id},
                                   {"given", rebuild.given},
                                   {"left_out", rebuild.left_out.size()},
                                   {"refused", rebuild.refused.size()},
                                   {"items", first_of(rebuild.left_out, rebuild.refused)}});
}

/// Logs the first failed or withheld response of a session, since the agent is silent then. An
/// answer that was only too long has been heard.
void SessionDriver::report_responses() {
  using session::ResponseStatus;
  const session::ResponseCounts& now_counted = session_.responses();
  for (std::size_t index = 0; index < now_counted.by_status.size(); ++index) {
    const auto more = now_counted.by_status[index] - responses_reported_[index];
    if (more == 0) continue;
    const auto status = static_cast<ResponseStatus>(index);
    const std::string& reason = now_counted.reason_by_status[index];
    const bool held_back = status == ResponseStatus::incomplete && !reason.empty() &&
                           reason != "max_output_tokens" && reason != "max_tokens";
    if ((status == ResponseStatus::failed || held_back) && !std::exchange(failure_logged_, true))
      log_.warn("response.failed", {{"session", session_.identity().session_id},
                                    {"reason", reason},
                                    {"status", std::string(to_string(status))}});
    worker_.tally().response_ended(status, reason, more);
    responses_reported_[index] = now_counted.by_status[index];
  }
}

session::Outbox* SessionDriver::outbox_of(const Link& link) {
  if (link.replaced) return nullptr;
  return link.is_client() ? &session_.to_client() : session_.outbox_of(link.upstream);
}

bool SessionDriver::wake_links() {
  const session::Sequence durable = journal_.durable();
  if (session_.ended() && !end_seen_) {
    end_seen_ = true;
    for (Link& link : links_) {
      if (link.dial.abort) link.dial.abort();
      link.readable.notify();
    }
    time_.notify();
  }
  for (Link& link : links_) send(link);
  for (Link& link : links_) {
    const session::Outbox* const outbox = outbox_of(link);
    if (!outbox || link.unsent || link.failed || session_.ended()) link.writable.notify();
    const bool wanted = link.is_client() ? session_.wants_client() : session_.wants_upstream();
    if (wanted || !outbox) link.readable.notify();
  }
  // Starts the slow client's clock, once: later keep_time() steps the session itself.
  if (!client_was_behind_ && session_.client_is_behind()) time_.notify();
  client_was_behind_ = session_.client_is_behind();
  if (session_.settled()) {
    settled_.notify();
    if (cut_at_ == Clock::time_point::max()) {
      // At a server's stop, do not wait as long for a client that reads nothing.
      const bool server_stops =
          session_.suspended() || session_.reason() == CloseReason::server_shutdown;
      cut_at_ = Clock::now() + (server_stops ? 1 : 2) * options_.close_timeout;
      time_.notify();
    }
  }
  const bool gated = session_.waits_for_journal(durable) ||
                     (session_.ended() ? !session_.settled() : journal_.crowded());
  if (!gated) return true;
  if (journal_.failed()) {
    const bool ended_before = session_.ended();
    session_.journal_failed(now());
    return ended_before;
  }
  worker_.await_journal(*this);
  // Check again: the watermark may have moved before the wait was registered.
  return journal_.durable() == durable && !journal_.failed();
}

void SessionDriver::gone(Link& link, const session::LinkEnd& how) {
  if (link.gone) return;
  link.gone = true;
  link.readable.notify();
  link.writable.notify();
  time_.notify();
  if (link.replaced) return;
  if (link.is_client()) {
    session_.client_gone(how, now());
  } else {
    session_.upstream_gone(link.upstream, how, now());
  }
  pump();
}

void SessionDriver::abort(Link& link, const session::LinkEnd& how) {
  link.peer->abort();
  gone(link, how);
}

Awaitable<void> SessionDriver::shut_down(Link& link) {
  if (std::exchange(link.hanging_up, true)) co_return;
  const Deadline deadline(worker_.executor(), options_.close_timeout,
                          [&link] { link.peer->abort(); });
  co_await link.peer->shut_down();
  link.peer->abort();
}

Awaitable<void> SessionDriver::finish(Link& link, const Received& last) {
  if (link.gone) co_return;  // it is being closed or was aborted: read() has nothing new
  const bool failed = last.kind == Received::Kind::failed;
  if (failed) link.peer->abort();
  gone(link, link.farewell ? refused_end(*link.farewell)
                           : session::LinkEnd{last.kind == Received::Kind::closed, last.close_code,
                                              last.reason});
  if (!failed) co_await shut_down(link);
}

Awaitable<void> SessionDriver::read_client(Link& link) {
  while (!link.gone) {
    if (!wanted(link)) {
      pump();  // the journal may have filled up since the last step
      co_await link.readable.wait();
      continue;
    }
    link.begin_reading();
    Received received = co_await link.peer->read();
    link.reading = false;
    if (received.bytes.size() > small_message_bytes_max) co_await await_room(link);
    if (received.kind == Received::Kind::bad_frame && !link.replaced) {
      if (!session_.ended()) close_code_ = received.close_code;
      end(CloseReason::policy, "a frame broke the WebSocket protocol");
      co_return;
    }
    if (is_end(received)) {
      co_await finish(link, received);
    } else if (!link.replaced &&
               !link.farewell) {  // a newer connection speaks, or the client was refused
      take(link, received);
      if (link.farewell) co_return;
    }
  }
}

bool SessionDriver::may_send(const Link& link, const session::Outbox& outbox) const {
  if (link.farewell && outbox.next_number() > link.farewell->last_message) return false;
  return outbox.ready(journal_.durable());
}

Awaitable<void> SessionDriver::write_client(Link& link) {
  const bool over = co_await write_loop(link);
  if (!over) co_return;
  if (link.replaced) {
    std::string newer("replaced by a newer connection");
    co_await close(link, close_code(CloseReason::replaced), std::move(newer));
    co_return;
  }
  if (link.farewell) {
    session::LinkEnd refused = refused_end(*link.farewell);
    std::string why = link.farewell->reason;
    co_await close(link, link.farewell->code, std::move(why), std::move(refused));
    co_return;
  }
  // An end that was not stored must not look like one that was.
  const bool kept = session_.kept();
  const CloseReason reason_sent = kept ? session_.reason() : CloseReason::storage_failure;
  const std::uint16_t code = kept && close_code_ != 0 ? close_code_ : close_code(reason_sent);
  std::string reason(to_string(reason_sent));
  co_await close(link, code, std::move(reason));
}

Awaitable<void> SessionDriver::run_upstream(Link& link) {
  Upstream::Wanted kind{options_.model, session_.transcribes(), options_.providers_messages};
  auto dialled = co_await upstream_.dial(worker_.executor(), std::move(kind), link.dial);
  link.dial.abort = nullptr;
  if (const auto* failure = std::get_if<DialFailure>(&dialled)) {
    if (!session_.ended()) {
      log_.warn("upstream.unavailable", {{"session", session_.identity().session_id},
                                         {"why", failure->why},
                                         {"status", failure->status},
                                         {"code", failure->code}});
    }
    session_.upstream_unavailable(
        link.upstream, failure->refused ? CloseReason::upstream_error : CloseReason::upstream_lost,
        failure->why, now());
    time_.notify();
    pump();
    co_return;
  }
  link.peer = std::move(std::get<std::unique_ptr<Peer>>(dialled));
  session_.upstream_opened(link.upstream, now());
  spawn(link, write_upstream(link));
  time_.notify();
  pump();
  while (!link.gone && !session_.ended()) {
    if (!wanted(link)) {
      pump();
      co_await link.readable.wait();
      continue;
    }
    link.begin_reading();
    Received received = co_await link.peer->read();
    link.reading = false;
    if (received.bytes.size() > small_message_bytes_max) co_await await_room(link);
    if (received.kind == Received::Kind::message) {
      if (!outbox_of(link)) continue;  // another connection has replaced it; it is being closed
      hide_secrets(received.bytes);
      capture(session::Direction::to_client, received.bytes);
      session_.upstream_said(link.upstream,
                             {std::move(received.bytes), monotonic_us(),
                              session::MessageKind::other, false, std::move(received.memory)},
                             now());
      pump();
    } else if (received.kind == Received::Kind::binary) {
      if (!outbox_of(link)) continue;
      auto message = session::of_binary_frame(std::move(received.bytes), monotonic_us());
      message.memory = std::move(received.memory);
      hide_secrets(message.bytes);
      session_.upstream_said(link.upstream, std::move(message), now());
      pump();
    } else if (received.kind == Received::Kind::too_slow) {
      if (outbox_of(link)) abort(link, {false, 0, received.reason});
    } else if (received.kind == Received::Kind::too_big) {
      worker_.tally().messages_too_large[static_cast<std::size_t>(Way::to_client)].add();
      log_.warn("upstream.message_too_large",
                {{"session", session_.identity().session_id}, {"why", received.reason}});
      session_.upstream_skipped(link.upstream, now());
      pump();
    } else {
      co_await finish(link, received);
    }
  }
}

Awaitable<void> SessionDriver::write_upstream(Link& link) {
  const bool over = co_await write_loop(link);
  std::string no_reason;  // named, since g++ 12 loses a temporary made inside a co_await
  if (over) co_await close(link, 1000, std::move(no_reason));
}

void SessionDriver::send(Link& link) {
  // Send a burst of events together: one TLS record and one system call.
  constexpr std::size_t events_max = 32;
  constexpr std::size_t bytes_max = 16 * 1024;
  session::Outbox* const outbox = outbox_of(link);
  if (!outbox || !link.is_open() || link.closing) return;
  const Way way = link.is_client() ? Way::to_client : Way::to_upstream;
  while (!link.unsent && !link.failed && may_send(link, *outbox)) {
    std::array<session::MessagePtr, events_max> messages;
    std::array<Outgoing, events_max> events;
    std::size_t count = 0;
    std::size_t bytes = 0;
    do {
      session::MessagePtr& message = messages[count];
      message = link.is_client() ? outbox->take() : session_.take_for(link.upstream);
      if (message->memory) link.leaving.messages.push_back(message->memory);
      events[count++] = {&message->bytes, message->binary ? Frame::binary : Frame::text};
      bytes += message->bytes.size();
    } while (count < events_max && bytes < bytes_max && may_send(link, *outbox));
    try {
      const Sent sent = link.peer->send({events.data(), count});
      link.unsent = sent.waits;
      link.failed = sent.ec;
    } catch (const std::bad_alloc&) {
      // The position within the frame is unknown now: the connection ends, the session goes on.
      link.failed = make_error_code(boost::system::errc::not_enough_memory);
    }
    if (link.failed) return;
    if (!link.unsent) link.leaving.left();
    const std::int64_t sent_us = monotonic_us();
    for (std::size_t i = 0; i < count; ++i) {
      const session::Message& message = *messages[i];
      if (message.received_us == 0) continue;
      worker_.tally().relayed(way, message.kind, message.bytes.size(),
                              sent_us - message.received_us);
    }
  }
}

Awaitable<bool> SessionDriver::write_loop(Link& link) {
  while (!link.gone && !link.failed) {
    session::Outbox* const outbox = outbox_of(link);
    if (link.unsent) {
      link.failed = co_await link.peer->drain();
      link.unsent = false;
      link.leaving.left();
      pump();
    } else if (!outbox) {
      if (link.abort_at == Clock::time_point::max()) replace(link);
      link.closing = true;
      co_return true;
    } else if (may_send(link, *outbox)) {
      pump();
    } else if (link.farewell || (session_.settled() && outbox->empty())) {
      link.closing = true;
      co_return true;
    } else if (link.ping_due) {
      link.ping_due = false;
      link.failed = co_await link.peer->ping();
    } else {
      co_await link.writable.wait();
    }
  }
  // A read in progress sees the same error, and may find a close frame before it.
  if (!link.gone && !link.reading) abort(link, {false, 0, link.failed.message()});
  co_return false;
}

Awaitable<void> SessionDriver::close(Link& link, std::uint16_t code, std::string reason,
                                     session::LinkEnd how) {
  const Deadline deadline(worker_.executor(), options_.close_timeout,
                          [&link] { link.peer->abort(); });
  co_await link.peer->close(code, std::move(reason));
  gone(link, how);
  co_await shut_down(link);
}

void SessionDriver::hide_secrets(std::string& message) const {
  if (!options_.secrets) return;
  if (auto cut = options_.secrets->cut_error_event(message)) message = std::move(*cut);
}

void SessionDriver::capture(session::Direction direction, const std::string& event) {
  if (!options_.capture) return;
  const auto clean = options_.secrets ? options_.secrets->cut_frame(event) : std::nullopt;
  options_.capture->add(direction, clean ? *clean : event, now().wall);
}

}  // namespace verbatim::server
