#include "server/session_driver.hpp"

#include <algorithm>
#include <boost/asio/co_spawn.hpp>
#include <utility>

namespace verbatim::server {

namespace {

using session::CloseReason;
using std::chrono::duration_cast;
using std::chrono::microseconds;
using std::chrono::milliseconds;

Clock::time_point at_monotonic_ms(std::int64_t ms) {
  // "Never" is the largest number; adding to the clock's epoch must not overflow.
  constexpr auto furthest = duration_cast<milliseconds>(Clock::duration::max()).count();
  if (ms >= furthest) return Clock::time_point::max();
  return Clock::time_point(milliseconds(ms));
}

}  // namespace

session::Moment now() {
  session::Moment moment;
  moment.wall =
      duration_cast<milliseconds>(std::chrono::system_clock::now().time_since_epoch()).count();
  moment.mono_ms = duration_cast<milliseconds>(Clock::now().time_since_epoch()).count();
  return moment;
}

std::int64_t monotonic_us() {
  return duration_cast<microseconds>(Clock::now().time_since_epoch()).count();
}

SessionDriver::SessionDriver(Worker& worker, session::RealtimeSession session,
                             session::Journal& journal, std::unique_ptr<Peer> client,
                             const Upstream& upstream, DriverOptions options, Log& log)
    : worker_(worker),
      session_(std::move(session)),
      journal_(journal),
      upstream_(upstream),
      options_(std::move(options)),
      log_(log),
      client_(worker.executor()),
      provider_(worker.executor()),
      loops_(worker.executor()),
      time_(worker.executor()),
      settled_(worker.executor()) {
  client_.peer = std::move(client);
  client_.gone = !client_.peer;  // it may have left during the upgrade
}

Awaitable<void> SessionDriver::run() {
  // The client's loops first: whoever leaves while the provider is being dialled is noticed.
  spawn(read_client());
  spawn(write_client());
  spawn(run_upstream());
  spawn(keep_time());
  co_await loops_.joined();
  while (!session_.settled()) {
    worker_.await_journal(*this);
    if (!session_.settled()) co_await settled_.wait();
  }
  worker_.forget(*this);
}

void SessionDriver::spawn(Awaitable<void> loop) {
  loops_.enter();
  asio::co_spawn(worker_.executor(), std::move(loop), [this](std::exception_ptr bug) {
    if (bug) {
      try {
        std::rethrow_exception(bug);
      } catch (const std::exception& error) {
        log_.error("session.bug",
                   {{"session", session_.identity().session_id}, {"what", error.what()}});
      }
      end(CloseReason::upstream_error, "internal error");
    }
    loops_.leave();
  });
}

void SessionDriver::greet(std::string message) {
  session_.to_client().push({std::move(message), 0, session::MessageKind::other}, 0);
}

void SessionDriver::end(CloseReason reason, const std::string& why) {
  session_.end(reason, why, now());
  stepped();
}

void SessionDriver::journal_moved() {
  if (journal_.failed()) session_.journal_failed(now());
  stepped();
}

void SessionDriver::stepped() {
  while (!ring_whom_it_concerns()) {
  }
}

bool SessionDriver::ring_whom_it_concerns() {
  const session::Sequence durable = journal_.durable();
  session::Outbox& down = session_.to_client();
  session::Outbox& up = session_.to_upstream();
  if (session_.ended() && !end_seen_) {
    end_seen_ = true;
    cut_at_ = Clock::now() + 2 * options_.close_timeout;
    if (dial_.cut) dial_.cut();
    client_.readable.ring();
    provider_.readable.ring();
    time_.ring();
  }
  if (down.ready(durable) || session_.ended()) client_.writable.ring();
  if (up.ready(durable) || session_.ended()) provider_.writable.ring();
  if (session_.wants_client()) client_.readable.ring();
  if (session_.wants_upstream()) provider_.readable.ring();
  // The slow client's clock starts. Once: whoever keeps the time steps the session himself.
  if (!client_was_behind_ && session_.client_is_behind()) time_.ring();
  client_was_behind_ = session_.client_is_behind();
  if (session_.settled()) settled_.ring();
  const bool gated = down.head_needs() > durable || up.head_needs() > durable ||
                     (session_.ended() ? !session_.settled() : journal_.crowded());
  if (!gated) return true;
  if (journal_.failed()) {
    const bool ended_before = session_.ended();
    session_.journal_failed(now());
    return ended_before;
  }
  worker_.await_journal(*this);
  // Look again: the watermark may have moved between the first look and the request to be woken.
  return journal_.durable() == durable && !journal_.failed();
}

void SessionDriver::gone(Link& link, const session::LinkEnd& how) {
  if (link.gone) return;
  link.gone = true;
  link.readable.ring();
  link.writable.ring();
  time_.ring();
  if (&link == &client_) {
    session_.client_gone(how, now());
  } else {
    session_.upstream_gone(how, now());
  }
  stepped();
}

void SessionDriver::cut(Link& link, const session::LinkEnd& how) {
  link.peer->abort();
  gone(link, how);
}

Awaitable<void> SessionDriver::hang_up(Link& link) {
  if (std::exchange(link.hanging_up, true)) co_return;
  const Deadline deadline(worker_.executor(), options_.close_timeout,
                          [&link] { link.peer->abort(); });
  co_await link.peer->hang_up();
  link.peer->abort();
}

Awaitable<void> SessionDriver::finish(Link& link, const Received& last) {
  if (link.gone) co_return;  // it is being closed, or was cut: read() only tells the same
  const bool failed = last.kind == Received::Kind::failed;
  if (failed) link.peer->abort();
  gone(link, {last.kind == Received::Kind::closed, last.close_code, last.reason});
  if (!failed) co_await hang_up(link);
}

Awaitable<Received> SessionDriver::read(Link& link) {
  link.reading_since = Clock::now();
  link.reading = true;
  Received received = co_await link.peer->read();
  link.reading = false;
  co_return received;
}

Awaitable<void> SessionDriver::read_client() {
  while (!client_.gone) {
    if (!session_.wants_client() && !session_.ended()) {
      co_await client_.readable.wait();
      continue;
    }
    Received received = co_await read(client_);
    if (received.kind == Received::Kind::message) {
      capture(session::Direction::to_server, received.bytes);
      session_.client_said({std::move(received.bytes), monotonic_us(), session::MessageKind::other},
                           now());
      stepped();
    } else if (received.kind == Received::Kind::binary) {
      close_code_ = 1003;
      end(CloseReason::policy, "this protocol has text frames only; a binary frame came");
    } else {
      if (received.kind == Received::Kind::too_big) {
        session_.end(CloseReason::policy,
                     "a message was larger than session.client_message_bytes_max", now());
      } else if (received.kind == Received::Kind::bad_frame) {
        session_.end(CloseReason::policy, "a frame broke the WebSocket protocol", now());
      }
      co_await finish(client_, received);
    }
  }
}

Awaitable<void> SessionDriver::write_client() {
  const bool over = co_await write_loop(client_, session_.to_client(), Way::to_client);
  if (!over) co_return;
  const std::uint16_t code = close_code_ != 0 ? close_code_ : close_code(session_.reason());
  std::string reason(to_string(session_.reason()));
  co_await close(client_, code, std::move(reason));
}

Awaitable<void> SessionDriver::run_upstream() {
  auto dialled = co_await upstream_.dial(worker_.executor(), options_.model, dial_);
  if (const auto* failure = std::get_if<DialFailure>(&dialled)) {
    if (!session_.ended()) {
      log_.warn("upstream.unavailable",
                {{"session", session_.identity().session_id}, {"why", failure->why}});
    }
    session_.upstream_unavailable(
        failure->refused ? CloseReason::upstream_error : CloseReason::upstream_lost, failure->why,
        now());
    stepped();
    co_return;
  }
  provider_.peer = std::move(std::get<std::unique_ptr<Peer>>(dialled));
  session_.upstream_opened(now());
  spawn(write_upstream());
  time_.ring();
  stepped();
  while (!provider_.gone && !session_.ended()) {
    if (!session_.wants_upstream()) {
      co_await provider_.readable.wait();
      continue;
    }
    Received received = co_await read(provider_);
    if (received.kind == Received::Kind::message) {
      capture(session::Direction::to_client, received.bytes);
      session_.upstream_said(
          {std::move(received.bytes), monotonic_us(), session::MessageKind::other}, now());
      stepped();
    } else if (received.kind != Received::Kind::binary) {  // not in the protocol: means nothing
      co_await finish(provider_, received);
    }
  }
}

Awaitable<void> SessionDriver::write_upstream() {
  const bool over = co_await write_loop(provider_, session_.to_upstream(), Way::to_upstream);
  std::string no_reason;  // named: g++ 12 loses track of a temporary made inside a co_await
  if (over) co_await close(provider_, 1000, std::move(no_reason));
}

Awaitable<bool> SessionDriver::write_loop(Link& link, session::Outbox& outbox, Way way) {
  error_code failed;
  while (!link.gone && !failed) {
    if (outbox.ready(journal_.durable())) {
      const session::Message message = outbox.take();
      failed = co_await link.peer->write(message.bytes);
      if (!failed && message.received_us != 0) {
        worker_.tally().relayed(way, message.kind, message.bytes.size(),
                                monotonic_us() - message.received_us);
      }
      stepped();
    } else if (session_.settled() && outbox.empty()) {
      co_return true;
    } else if (link.ping_due) {
      link.ping_due = false;
      failed = co_await link.peer->ping();
    } else {
      co_await link.writable.wait();
    }
  }
  // A reader that is at work sees the same break, and may find a close frame before it.
  if (!link.gone && !link.reading) cut(link, {false, 0, failed.message()});
  co_return false;
}

Awaitable<void> SessionDriver::close(Link& link, std::uint16_t code, std::string reason) {
  const Deadline deadline(worker_.executor(), options_.close_timeout,
                          [&link] { link.peer->abort(); });
  co_await link.peer->close(code, std::move(reason));
  gone(link, {});
  co_await hang_up(link);
}

Awaitable<void> SessionDriver::keep_time() {
  while (!session_.ended()) {
    Clock::time_point next = at_monotonic_ms(session_.next_deadline_ms());
    for (const Link* link : {&client_, &provider_}) next = std::min(next, next_look(*link));
    // Deadlines move only later without a ring; the floor keeps a late one from spinning.
    co_await time_.wait_until(std::max(next, Clock::now() + milliseconds(10)));
    session_.time_passed(now());
    look_after(client_);
    look_after(provider_);
    stepped();
  }
  // The end: everybody gets the time to read what is left, then the sockets are cut.
  const auto open = [](const Link& link) { return link.peer && !link.gone; };
  while ((open(client_) || open(provider_)) && Clock::now() < cut_at_) {
    co_await time_.wait_until(cut_at_);
  }
  for (Link* link : {&client_, &provider_}) {
    if (open(*link)) cut(*link, {false, 0, "no patience left at the end of the session"});
  }
}

Clock::time_point SessionDriver::next_look(const Link& link) const {
  // While we do not read, we can not hear.
  if (!link.peer || link.gone || !link.reading) return Clock::time_point::max();
  const int intervals = link.pinged ? 2 : 1;
  return std::max(link.peer->last_heard(), link.reading_since) + intervals * options_.ping_interval;
}

void SessionDriver::look_after(Link& link) {
  const Clock::time_point look = next_look(link);
  if (look == Clock::time_point::max()) return;
  const auto silent = Clock::now() - std::max(link.peer->last_heard(), link.reading_since);
  if (silent >= 2 * options_.ping_interval) {
    cut(link, {false, 0, "no sign of life within two ping intervals"});
  } else if (silent < options_.ping_interval) {
    link.pinged = false;
  } else if (!link.pinged) {
    link.pinged = true;
    link.ping_due = true;
    link.writable.ring();
  }
}

void SessionDriver::capture(session::Direction direction, const std::string& event) {
  if (options_.capture) options_.capture->add(direction, event, now().wall);
}

}  // namespace verbatim::server
