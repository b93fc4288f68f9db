// SessionDriver: deadlines, keepalive, and the handling of client messages.
#include <algorithm>
#include <limits>
#include <utility>

#include "server/net/ws_frame.hpp"
#include "server/relay/access/auth.hpp"
#include "server/relay/session_driver.hpp"

namespace verbatim::relay {

namespace {

using std::chrono::duration_cast;
using std::chrono::milliseconds;

net::Clock::time_point at_monotonic_ms(std::int64_t ms) {
  // "Never" is the largest number; adding it to the clock's epoch must not overflow.
  constexpr auto furthest = duration_cast<milliseconds>(net::Clock::duration::max()).count();
  if (ms >= furthest) return net::Clock::time_point::max();
  return net::Clock::time_point(milliseconds(ms));
}

}  // namespace

// ---- client messages -----------------------------------------------------------------------

bool SessionDriver::wanted(const Link& link) const {
  if (session_.ended() || link.gone || !outbox_of(link)) return true;
  return link.is_client() ? session_.wants_client() : session_.wants_upstream();
}

net::Awaitable<void> SessionDriver::await_reading(Link& link) {
  while (!wanted(link)) {
    // The journal's queue is shared, so other sessions may have filled it. Register first and look
    // again after that: it may have room by now, and notifies only those that wait.
    worker_.await_journal(*this);
    if (wanted(link)) break;
    co_await link.readable.wait();
  }
}

void SessionDriver::take(Link& link, net::Received& received) {
  switch (received.kind) {
    case net::Received::Kind::message: {
      protocol::Message message{std::move(received.bytes), monotonic_us(),
                                protocol::MessageKind::other, false, std::move(received.memory)};
      const Moment at = now();
      tap(protocol::Direction::to_server, message, net::FrameType::text, at);
      act(session_.client_said(std::move(message), at));
      break;
    }
    case net::Received::Kind::binary:
      act(session_.refuse_frame(
          "A binary frame came. Send each event as JSON in a text frame; audio may come in binary "
          "frames on a connection that asks for it (audio=binary with events=verbatim)."));
      break;
    case net::Received::Kind::too_slow:
      log_.warn("client.message_too_slow",
                {{"session", session_.identity().session_id}, {"trace_id", report_.trace_id()}});
      refuse(link, net::close_codes::policy, "message_too_slow",
             received.reason + " (server.large_message_timeout)");
      break;
    default:
      worker_.tally().messages_too_large[static_cast<std::size_t>(Way::to_upstream)].add();
      log_.warn("client.message_too_large",
                {{"session", session_.identity().session_id}, {"trace_id", report_.trace_id()}});
      refuse(link, net::close_codes::too_big, "message_too_large",
             received.reason + " (session.client_message_bytes_max)");
      break;
  }
}

void SessionDriver::refuse(Link& link, std::uint16_t code, const char* error_code,
                           std::string why) {
  if (session_.ended() || link.farewell) return;
  const session::Changes changes = session_.refuse_connection(error_code, why);
  link.farewell = Link::Farewell{code, std::move(why), session_.to_client().next_number()};
  link.abort_at = net::Clock::now() + 2 * options_.close_timeout;
  time_.notify();
  link.writable.notify();
  act(changes);
}

session::LinkEnd SessionDriver::refused_end(const Link::Farewell& farewell) {
  return {false, 0, farewell.reason, true};
}

void SessionDriver::credential_revoked(const std::string& credential_id) {
  if (!client_ || credential_id.empty() || client_->credential_id != credential_id) return;
  const std::string session_id = session_.identity().session_id;
  if (access::is_of_key(credential_id)) {
    log_.info("client.key_revoked", {{"session", session_id}, {"trace_id", report_.trace_id()}});
    refuse(*client_, net::close_codes::unauthorised, "invalid_api_key",
           "the back-end key has been revoked: auth.api_keys has it no longer");
  } else {
    log_.info("client.token_revoked", {{"session", session_id}, {"trace_id", report_.trace_id()}});
    refuse(*client_, net::close_codes::unauthorised, "token_revoked",
           "the client token has been revoked");
  }
}

void SessionDriver::credentials_revoked(const std::unordered_set<std::string>& credential_ids) {
  if (client_ && credential_ids.contains(client_->credential_id))
    credential_revoked(client_->credential_id);
}

// ---- time ----------------------------------------------------------------------------------

bool SessionDriver::some_open() const {
  return std::any_of(links_.begin(), links_.end(), [](const Link& link) { return link.is_open(); });
}

net::Awaitable<void> SessionDriver::keep_time() {
  while (!session_.ended()) {
    awake_at_ms_ = session_.next_deadline_ms();
    net::Clock::time_point next = at_monotonic_ms(awake_at_ms_);
    for (const Link& link : links_) next = std::min(next, next_look(link));
    // A deadline moves to an earlier time only with a notification. The minimum of 10 ms keeps a
    // passed deadline from spinning.
    co_await time_.wait_until(std::max(next, net::Clock::now() + milliseconds(10)));
    awake_at_ms_ = std::numeric_limits<std::int64_t>::min();  // the next deadline is read above
    act(session_.time_passed(now()));
    for (Link& link : links_) check_keepalive(link);
  }
  // The end: each connection gets time to send the rest, then the sockets are closed.
  while (some_open() && net::Clock::now() < abort_at_) co_await time_.wait_until(abort_at_);
  for (Link& link : links_) {
    if (link.is_open()) abort(link, {false, 0, "did not close in time at the end of the session"});
  }
}

net::Clock::time_point SessionDriver::heard(const Link& link) {
  // While reading is paused, nothing can be heard.
  return std::max(link.peer->last_heard(), link.reading_since);
}

net::Clock::time_point SessionDriver::next_look(const Link& link) const {
  if (!link.is_open()) return net::Clock::time_point::max();
  if (link.replaced || link.farewell || !link.reading) return link.abort_at;
  return (link.pinged ? link.pinged_at : heard(link)) + options_.ping_interval;
}

void SessionDriver::check_keepalive(Link& link) {
  if (!link.is_open()) return;
  if (link.replaced) {
    if (net::Clock::now() >= link.abort_at)
      abort(link, {false, 0, "replaced, and did not close in time"});
    return;
  }
  if (link.farewell) {  // it gets as long as a replaced connection to read the close
    if (net::Clock::now() >= link.abort_at) abort(link, refused_end(*link.farewell));
    return;
  }
  if (link.pinged && heard(link) > link.pinged_at) link.pinged = false;
  if (net::Clock::now() < next_look(link)) return;
  if (link.pinged) {
    abort(link, {false, 0, "no message or pong within two ping intervals"});
    return;
  }
  // Its time to answer begins now, even if this thread stood still before.
  link.pinged = true;
  link.pinged_at = net::Clock::now();
  link.ping_due = true;
  link.writable.notify();
}

}  // namespace verbatim::relay
