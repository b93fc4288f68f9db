#include "server/relay/session_driver.hpp"

#include <algorithm>
#include <array>
#include <boost/asio/co_spawn.hpp>
#include <new>
#include <utility>

#include "session/protocol/message_kind.hpp"

namespace verbatim::relay {

namespace {

using transcript::CloseReason;

bool is_end(const net::Received& received) {
  switch (received.kind) {
    case net::Received::Kind::message:
    case net::Received::Kind::binary:
    case net::Received::Kind::too_slow:
    case net::Received::Kind::too_big:
      return false;
    case net::Received::Kind::closed:
    case net::Received::Kind::failed:
    case net::Received::Kind::bad_frame:
      break;
  }
  return true;
}

DialReport report_of(session::UpstreamId upstream, Moment began, const DialFailure* failure) {
  if (failure == nullptr) return {upstream, began, DialReport::Outcome::opened, 0, {}};
  return {upstream, began,
          failure->refused ? DialReport::Outcome::refused : DialReport::Outcome::unreachable,
          failure->status, failure->code};
}

}  // namespace

SessionDriver::SessionDriver(Worker& worker, session::RealtimeSession session,
                             transcript::Journal& journal, std::unique_ptr<net::Peer> client,
                             const Upstream& upstream, DriverOptions options, Log& log)
    : worker_(worker),
      session_(std::move(session)),
      journal_(journal),
      upstream_(upstream),
      options_(std::move(options)),
      log_(log),
      loops_(worker.executor()),
      time_(worker.executor()),
      settled_(worker.executor()),
      report_(worker.tally(), log,
              options_.observer ? options_.observer->trace_id() : std::string()) {
  // The client's loops start first, so that a client that leaves while the provider is dialled is
  // noticed. It may have left during the upgrade.
  if (client) add_client(std::move(client), options_.credential_id);
}

net::Awaitable<void> SessionDriver::run() {
  spawn(keep_time(), nullptr);
  act(session::Changes::all());
  co_await loops_.joined();
  while (!session_.settled()) {
    worker_.await_journal(*this);
    if (!session_.settled()) co_await settled_.wait();
  }
  worker_.forget(*this);
}

void SessionDriver::add_client(std::unique_ptr<net::Peer> peer, const std::string& credential_id) {
  Link& link = links_.emplace_back(worker_.executor());
  link.credential_id = credential_id;
  link.peer = std::move(peer);
  client_ = &link;
  spawn(link, read_client(link));
  spawn(link, write_client(link));
}

bool SessionDriver::attach(ReturningClient& client) {
  if (session_.ended()) return false;
  if (client_) replace(*client_);
  session::Changes changes;
  const std::uint64_t snapshots = session_.counts().resumed_with_snapshot;
  try {
    changes = session_.client_returned(client.how, now());
  } catch (const transcript::SpillError& error) {
    end(CloseReason::storage_failure, error.what());
    return false;
  }
  if (options_.observer)
    options_.observer->client_returned(snapshots == session_.counts().resumed_with_snapshot, now());
  log_.info("session.rejoined", {{"session", session_.identity().session_id},
                                 {"remote", client.remote},
                                 {"request", client.request},
                                 {"trace_id", report_.trace_id()}});
  add_client(std::move(client.connection), client.credential_id);
  time_.notify();
  act(changes);
  return true;
}

void SessionDriver::spawn(Link& link, net::Awaitable<void> loop) {
  ++link.loops;
  spawn(std::move(loop), &link);
}

void SessionDriver::spawn(net::Awaitable<void> loop, Link* link) {
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
      log_.error("session.bug", {{"session", session_.identity().session_id},
                                 {"trace_id", report_.trace_id()},
                                 {"what", error.what()}});
    }
    end(CloseReason::upstream_error, "internal error");
  }
  if (link && --link->loops == 0) {
    if (link == client_) client_ = nullptr;
    links_.remove_if([link](const Link& one) { return &one == link; });
  }
  loops_.leave();
}

void SessionDriver::queue_first(std::string message) {
  act(session_.queue_first({std::move(message), 0, protocol::MessageKind::other}));
}

void SessionDriver::end(CloseReason reason, const std::string& why) {
  act(session_.end(reason, why, now()));
}

void SessionDriver::when_settled(std::function<void()> done) {
  if (session_.settled()) return done();
  to_call_when_settled_.push_back(std::move(done));
}

void SessionDriver::suspend(const std::string& why) { act(session_.suspend(why, now())); }

void SessionDriver::abort_links() {
  for (Link& link : links_) {
    if (link.dial.abort) link.dial.abort();
    if (link.is_open()) abort(link, {false, 0, "did not close before the relay's end"});
  }
}

void SessionDriver::journal_moved() {
  if (waits_since_us_ != 0) end_journal_wait();
  act(session_.journal_moved(now()));
}

void SessionDriver::begin_journal_wait() {
  if (!options_.observer || waits_since_us_ != 0) return;
  waits_since_us_ = monotonic_us();
  waits_for_ = session_.last_recorded();
}

void SessionDriver::end_journal_wait() {
  if (journal_.durable() < waits_for_ && !journal_.failed()) return;
  options_.observer->journal_waited(std::exchange(waits_since_us_, 0), monotonic_us(), now());
}

// ---- Changes by an input -------------------------------------------------------------------

void SessionDriver::act(session::Changes changes) {
  using session::Change;
  while (!changes.empty()) {
    session::Changes more;
    if (changes.has(Change::dial)) dial();
    if (changes.has(Change::ended)) on_ended();
    for (Link& link : links_) more |= act_on(link, changes);
    if (changes.has(Change::superfluous)) release_superfluous();
    if (changes.has(Change::settled)) on_settled();
    if (changes.has(Change::deadline) && session_.next_deadline_ms() < awake_at_ms_) time_.notify();
    if (changes.has(Change::counts)) report_.changed(session_);
    if (changes.has(Change::awaits_journal)) more |= await_journal();
    changes = more;
  }
}

session::Changes SessionDriver::act_on(Link& link, session::Changes changes) {
  using session::Change;
  const bool client = link.is_client();
  session::Changes more;
  if (changes.has(client ? Change::client_writable : Change::upstream_writable)) more = send(link);
  if (changes.has(client ? Change::client_readable : Change::upstream_readable))
    link.readable.notify();
  return more;
}

void SessionDriver::dial() {
  while (const auto upstream = session_.take_dial(now())) {
    Link& link = links_.emplace_back(worker_.executor());
    link.upstream = *upstream;
    spawn(link, run_upstream(link));
  }
}

void SessionDriver::release_superfluous() {
  for (Link& link : links_) {
    if (outbox_of(link)) continue;
    link.writable.notify();
    link.readable.notify();
  }
}

void SessionDriver::on_ended() {
  if (!session_.ended()) return;
  if (options_.observer) options_.observer->ended(now());
  for (Link& link : links_) {
    if (link.dial.abort) link.dial.abort();
    link.readable.notify();
    link.writable.notify();
  }
  time_.notify();
}

void SessionDriver::on_settled() {
  if (!session_.settled()) return;
  if (options_.observer) options_.observer->settled(session_, now());
  settled_.notify();
  for (const auto& done : std::exchange(to_call_when_settled_, {})) done();
  for (Link& link : links_) link.writable.notify();
  if (abort_at_ != net::Clock::time_point::max()) return;
  // At a server's stop, do not wait as long for a client that reads nothing.
  const bool server_stops =
      session_.suspended() || session_.reason() == CloseReason::server_shutdown;
  abort_at_ = net::Clock::now() + (server_stops ? 1 : 2) * options_.close_timeout;
  time_.notify();
}

session::Changes SessionDriver::await_journal() {
  const transcript::Sequence durable = journal_.durable();
  if (session_.waits_for_journal(durable) && !journal_.failed()) {
    begin_journal_wait();
    worker_.await_journal(*this);
    // Check again: the watermark may have moved before the wait was registered.
    if (journal_.durable() == durable && !journal_.failed()) return {};
  }
  if (waits_since_us_ != 0) end_journal_wait();
  // The watermark has reached the session's wait since the input. No notification comes, since the
  // wait was not registered yet.
  return session_.journal_moved(now());
}

const session::Outbox* SessionDriver::outbox_of(const Link& link) const {
  if (link.replaced) return nullptr;
  return link.is_client() ? &session_.to_client() : session_.outbox_of(link.upstream);
}

// ---- The loops of a link -------------------------------------------------------------------

net::Awaitable<void> SessionDriver::read_client(Link& link) {
  while (!link.gone) {
    if (!wanted(link)) {
      co_await await_reading(link);
      continue;
    }
    link.begin_reading();
    net::Received received = co_await link.peer->read();
    link.reading = false;
    // So that a large message is not refused later.
    if (received.bytes.size() > net::small_message_bytes_max && !wanted(link))
      co_await await_reading(link);
    if (received.kind == net::Received::Kind::bad_frame && !link.replaced) {
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

net::Awaitable<void> SessionDriver::write_client(Link& link) {
  const bool over = co_await write_loop(link);
  if (!over) co_return;
  if (link.replaced) {
    std::string newer("replaced by a newer connection");
    co_await close(link, transcript::close_code(CloseReason::replaced), std::move(newer));
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
  const std::uint16_t code =
      kept && close_code_ != 0 ? close_code_ : transcript::close_code(reason_sent);
  std::string reason(transcript::to_string(reason_sent));
  co_await close(link, code, std::move(reason));
}

net::Awaitable<void> SessionDriver::run_upstream(Link& link) {
  const Moment began = now();
  Upstream::Wanted kind{options_.model, session_.transcribes(), options_.providers_messages};
  const std::int64_t dialled_at_us = monotonic_us();
  auto dialled = co_await upstream_.dial(worker_.executor(), std::move(kind), link.dial);
  link.dial.abort = nullptr;
  if (options_.observer) {
    options_.observer->dialled(
        report_of(link.upstream, began, dialled ? nullptr : &dialled.error()), now());
  }
  if (!dialled) {
    const DialFailure& failure = dialled.error();
    if (!session_.ended()) {
      log_.warn("upstream.unavailable", {{"session", session_.identity().session_id},
                                         {"trace_id", report_.trace_id()},
                                         {"why", failure.why},
                                         {"status", failure.status},
                                         {"code", failure.code}});
    }
    time_.notify();
    act(session_.upstream_unavailable(
        link.upstream, failure.refused ? CloseReason::upstream_error : CloseReason::upstream_lost,
        failure.why, now()));
    co_return;
  }
  link.peer = *std::move(dialled);
  report_.dialled(session_, monotonic_us() - dialled_at_us);
  const session::Changes opened = session_.upstream_opened(link.upstream, now());
  spawn(link, write_upstream(link));
  time_.notify();
  act(opened);
  while (!link.gone && !session_.ended()) {
    if (!wanted(link)) {
      co_await await_reading(link);
      continue;
    }
    link.begin_reading();
    net::Received received = co_await link.peer->read();
    link.reading = false;
    if (received.bytes.size() > net::small_message_bytes_max && !wanted(link))
      co_await await_reading(link);
    if (is_end(received)) {
      co_await finish(link, received);
    } else {
      take_upstream(link, received);
    }
  }
}

void SessionDriver::take_upstream(Link& link, net::Received& received) {
  if (received.kind == net::Received::Kind::too_big) {
    worker_.tally().messages_too_large[static_cast<std::size_t>(Way::to_client)].add();
    log_.warn("upstream.message_too_large", {{"session", session_.identity().session_id},
                                             {"trace_id", report_.trace_id()},
                                             {"why", received.reason}});
    act(session_.upstream_skipped(link.upstream, now()));
    return;
  }
  if (!outbox_of(link)) return;  // another connection has replaced it; it is being closed
  if (received.kind == net::Received::Kind::too_slow) {
    abort(link, {false, 0, received.reason});
    return;
  }
  const net::FrameType frame =
      received.kind == net::Received::Kind::binary ? net::FrameType::binary : net::FrameType::text;
  protocol::Message message =
      frame == net::FrameType::binary
          ? protocol::of_binary_frame(std::move(received.bytes), monotonic_us())
          : protocol::Message{std::move(received.bytes), monotonic_us(),
                              protocol::MessageKind::other};
  message.memory = std::move(received.memory);
  hide_secrets(message.bytes);
  const Moment at = now();
  tap(protocol::Direction::to_client, message, frame, at);
  act(session_.upstream_said(link.upstream, std::move(message), at));
}

net::Awaitable<void> SessionDriver::write_upstream(Link& link) {
  const bool over = co_await write_loop(link);
  std::string no_reason;  // named, since g++ 12 loses a temporary made inside a co_await
  if (over) co_await close(link, 1000, std::move(no_reason));
}

void SessionDriver::hide_secrets(std::string& message) const {
  if (!options_.secrets) return;
  if (auto shown = options_.secrets->cut_error_event(message)) message = std::move(*shown);
}

void SessionDriver::tap(protocol::Direction direction, const protocol::Message& message,
                        net::FrameType frame, Moment at) {
  for (const auto& tap : options_.taps) tap->on_message(direction, message, frame, at);
}

}  // namespace verbatim::relay
