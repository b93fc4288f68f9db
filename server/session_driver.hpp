// Carries out what a RealtimeSession decides: reads and writes both peers, dials the provider,
// keeps time, waits for the journal. Five loops, one join, one teardown.
//
// Lives on one worker's thread. Owned by the coroutine that runs run(), and done when that returns:
// nothing it started is left.
#pragma once

#include <chrono>
#include <exception>
#include <memory>
#include <string>

#include "server/await.hpp"
#include "server/capture.hpp"
#include "server/log.hpp"
#include "server/peer.hpp"
#include "server/upstream.hpp"
#include "server/worker.hpp"
#include "session/realtime_session.hpp"

namespace verbatim::server {

struct DriverOptions {
  std::chrono::milliseconds ping_interval{20'000};
  std::chrono::milliseconds close_timeout{5'000};
  std::unique_ptr<Capture::Stream> capture;  ///< null: off
  std::string model;  ///< what the client asked for; empty: the configured one
};

class SessionDriver final : public JournalWaiter {
 public:
  /// `client` may be null if it is gone already, and `session` knows.
  SessionDriver(Worker& worker, session::RealtimeSession session, session::Journal& journal,
                std::unique_ptr<Peer> client, const Upstream& upstream, DriverOptions options,
                Log& log);

  /// Runs the conversation to its end; returns when its final record is durable (or the journal
  /// has failed) and both links are closed.
  Awaitable<void> run();

  // --- this worker's thread -----------------------------------------------------------------
  void end(session::CloseReason reason, const std::string& why);
  void journal_moved() override;
  /// The first message that the client gets, before anything else.
  void greet(std::string message);

  const session::RealtimeSession& session() const { return session_; }

 private:
  // One per direction of a link.
  Awaitable<void> read_client();
  Awaitable<void> write_client();
  Awaitable<void> run_upstream();
  Awaitable<void> write_upstream();
  Awaitable<void> keep_time();

  /// A peer, and what its loops share.
  struct Link {
    explicit Link(const Executor& executor) : readable(executor), writable(executor) {}
    std::unique_ptr<Peer> peer;
    Doorbell readable;  ///< rung when reading may go on
    Doorbell writable;  ///< rung when there may be something to write
    bool ping_due = false;
    bool pinged = false;
    bool reading = false;
    Clock::time_point reading_since{};
    bool gone = false;  ///< cut or closed; said to the session
    bool hanging_up = false;
  };

  Awaitable<Received> read(Link& link);
  /// True when all is written and the session is over: the link may be closed in order.
  Awaitable<bool> write_loop(Link& link, session::Outbox& outbox, Way way);
  Awaitable<void> close(Link& link, std::uint16_t code, std::string reason);
  void spawn(Awaitable<void> loop);
  /// After every input: rings whoever has something to do.
  void stepped();
  bool ring_whom_it_concerns();
  /// A link has ended, however: tells the session. Only the first call counts.
  void gone(Link& link, const session::LinkEnd& how);
  /// It has failed, or nobody waits for it any longer.
  void cut(Link& link, const session::LinkEnd& how);
  /// It has ended in order, or by our refusal: the peer gets the time to hear that, and to hang up.
  Awaitable<void> hang_up(Link& link);
  /// What read() told that is no message.
  Awaitable<void> finish(Link& link, const Received& last);
  /// Pings a silent peer, gives up a dead one.
  void look_after(Link& link);
  Clock::time_point next_look(const Link& link) const;
  void capture(session::Direction direction, const std::string& event);

  Worker& worker_;
  session::RealtimeSession session_;
  session::Journal& journal_;
  const Upstream& upstream_;
  DriverOptions options_;
  Log& log_;
  Link client_;
  Link provider_;
  Dial dial_;
  JoinCounter loops_;
  Doorbell time_;
  Doorbell settled_;
  std::uint16_t close_code_ = 0;  ///< overrides the reason's
  bool end_seen_ = false;
  bool client_was_behind_ = false;
  Clock::time_point cut_at_ = Clock::time_point::max();  ///< after the end: patience is over
};

session::Moment now();
std::int64_t monotonic_us();

}  // namespace verbatim::server
