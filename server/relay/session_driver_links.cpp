// SessionDriver: sending on a link, and the end of a link.
#include <array>
#include <new>
#include <utility>

#include "server/relay/session_driver.hpp"

namespace verbatim::relay {

// ---- Sending -------------------------------------------------------------------------------

bool SessionDriver::may_send(const Link& link, const session::Outbox& outbox) const {
  if (link.farewell && outbox.next_number() > link.farewell->last_message) return false;
  return outbox.ready(journal_.durable());
}

session::Changes SessionDriver::send(Link& link) {
  const session::Outbox* outbox = outbox_of(link);
  if (!outbox || !link.is_open() || link.closing) return {};
  while (!link.unsent && !link.failed && may_send(link, *outbox)) send_burst(link, *outbox);
  return session_.take_changes();
}

/// Sends a burst of events together: one TLS record and one system call.
void SessionDriver::send_burst(Link& link, const session::Outbox& outbox) {
  constexpr std::size_t events_max = 32;
  constexpr std::size_t bytes_max = 16 * 1024;
  std::array<protocol::MessagePtr, events_max> messages;
  std::array<net::Outgoing, events_max> events;
  std::size_t count = 0;
  std::size_t bytes = 0;
  do {
    protocol::MessagePtr& message = messages[count];
    message = link.is_client() ? session_.take_for_client() : session_.take_for(link.upstream);
    if (message->memory) link.leaving.messages.push_back(message->memory);
    events[count++] = {&message->bytes,
                       message->binary ? net::FrameType::binary : net::FrameType::text};
    bytes += message->bytes.size();
  } while (count < events_max && bytes < bytes_max && may_send(link, outbox));
  try {
    const net::Sent sent = link.peer->send({events.data(), count});
    link.unsent = sent.waits;
    link.failed = sent.ec;
  } catch (const std::bad_alloc&) {
    // The position within the frame is unknown now: the connection ends, the session goes on.
    link.failed = make_error_code(boost::system::errc::not_enough_memory);
  }
  if (link.failed || link.unsent) link.writable.notify();  // its writer handles that
  if (link.failed) return;
  if (!link.unsent) link.leaving.left();
  count_relayed(link, {messages.data(), count});
}

void SessionDriver::count_relayed(const Link& link, std::span<const protocol::MessagePtr> sent) {
  const Way way = link.is_client() ? Way::to_client : Way::to_upstream;
  const std::int64_t sent_us = monotonic_us();
  for (const protocol::MessagePtr& message : sent) {
    if (message->received_us == 0) continue;
    worker_.tally().relayed(way, message->kind, message->bytes.size(),
                            sent_us - message->received_us);
    if (session_.awaits_first_audio() && message->kind == protocol::MessageKind::audio &&
        link.is_client())
      first_audio(message->received_us, sent_us);
    if (session_.awaits_recorded_audio() && message->kind == protocol::MessageKind::audio &&
        link.is_client())
      session_.recorded_audio_sent(message->received_us, now());
  }
}

void SessionDriver::first_audio(std::int64_t received_us, std::int64_t sent_us) {
  if (const auto wait_us = session_.audio_sent(received_us, sent_us))
    report_.first_audio(session_, *wait_us);
}

net::Awaitable<bool> SessionDriver::write_loop(Link& link) {
  while (!link.gone && !link.failed) {
    const session::Outbox* const outbox = outbox_of(link);
    if (link.unsent) {
      link.failed = co_await link.peer->drain();
      link.unsent = false;
      link.leaving.left();
    } else if (!outbox) {
      if (link.abort_at == net::Clock::time_point::max()) replace(link);
      link.closing = true;
      co_return true;
    } else if (may_send(link, *outbox)) {
      act(send(link));
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

// ---- The end of a link ---------------------------------------------------------------------

void SessionDriver::replace(Link& link) {
  link.replaced = true;
  link.abort_at = net::Clock::now() + 2 * options_.close_timeout;
  link.readable.notify();
  link.writable.notify();
  if (&link == client_) client_ = nullptr;
}

net::Awaitable<void> SessionDriver::close(Link& link, std::uint16_t code, std::string reason,
                                          session::LinkEnd how) {
  const net::Deadline deadline(worker_.executor(), options_.close_timeout,
                               [&link] { link.peer->abort(); });
  co_await link.peer->close(code, std::move(reason));
  gone(link, how);
  co_await shut_down(link);
}

void SessionDriver::gone(Link& link, const session::LinkEnd& how) {
  if (link.gone) return;
  link.gone = true;
  link.readable.notify();
  link.writable.notify();
  time_.notify();
  if (link.replaced) return;
  act(link.is_client() ? session_.client_gone(how, now())
                       : session_.upstream_gone(link.upstream, how, now()));
  if (options_.observer && link.is_client() && session_.detached())
    options_.observer->client_lost(now());
}

void SessionDriver::abort(Link& link, const session::LinkEnd& how) {
  link.peer->abort();
  gone(link, how);
}

net::Awaitable<void> SessionDriver::shut_down(Link& link) {
  if (std::exchange(link.hanging_up, true)) co_return;
  const net::Deadline deadline(worker_.executor(), options_.close_timeout,
                               [&link] { link.peer->abort(); });
  co_await link.peer->shut_down();
  link.peer->abort();
}

net::Awaitable<void> SessionDriver::finish(Link& link, const net::Received& last) {
  if (link.gone) co_return;  // it is being closed or was aborted: read() has nothing new
  const bool failed = last.kind == net::Received::Kind::failed;
  if (failed) link.peer->abort();
  gone(link, link.farewell ? refused_end(*link.farewell)
                           : session::LinkEnd{last.kind == net::Received::Kind::closed,
                                              last.close_code, last.reason});
  if (!failed) co_await shut_down(link);
}

}  // namespace verbatim::relay
