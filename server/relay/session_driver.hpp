// Does the input and output for one RealtimeSession: reads and writes its client and upstream
// connections, dials, keeps time, and waits for the journal. Each connection has two loops; all
// share one clock, one join and one teardown.
//
// Runs on one worker's thread. The coroutine that calls run() owns it; when run() returns, nothing
// that it started is left. Connections change meanwhile: attach() brings a returning client, and
// the driver dials upstream connections itself.
#pragma once

#include <chrono>
#include <exception>
#include <functional>
#include <list>
#include <memory>
#include <optional>
#include <span>
#include <string>
#include <unordered_set>
#include <vector>

#include "base/log.hpp"
#include "server/net/async.hpp"
#include "server/net/peer.hpp"
#include "server/relay/link.hpp"
#include "server/relay/observer.hpp"
#include "server/relay/session_report.hpp"
#include "server/relay/tap.hpp"
#include "server/relay/upstream.hpp"
#include "server/relay/worker.hpp"
#include "session/realtime_session.hpp"

namespace verbatim::relay {

struct DriverOptions {
  std::chrono::milliseconds ping_interval{};
  std::chrono::milliseconds close_timeout{};
  Taps taps;                                       ///< listen to the conversation
  std::shared_ptr<ConversationObserver> observer;  ///< null: nothing watches the conversation
  std::string providers_messages;                  ///< owner of the provider's large messages
  std::string model;          ///< requested by the client; empty: the configured one
  std::string credential_id;  ///< Principal::credential_id() of the client
  std::shared_ptr<const protocol::SecretFilter> secrets;  ///< removed from the provider's errors
};

/// A client that comes back to its running session.
struct ReturningClient {
  std::unique_ptr<net::Peer> connection;
  session::ClientReturn how;  ///< the messages that it has received, and its dialect
  std::string credential_id;  ///< Principal::credential_id()
  std::string remote;         ///< its address, for the log
  std::string request;        ///< the upgrade's id, for the log
};

class SessionDriver final : public JournalWaiter {
 public:
  /// `worker`: the thread of the conversation.
  /// `session`: the session to run.
  /// `journal`, `upstream`, `log`: must outlive the driver.
  /// `client`: null if the client is gone and `session` knows.
  /// `options`: see there.
  SessionDriver(Worker& worker, session::RealtimeSession session, transcript::Journal& journal,
                std::unique_ptr<net::Peer> client, const Upstream& upstream, DriverOptions options,
                Log& log);

  /// Runs the conversation to its end. Returns when its final record is durable (or the journal has
  /// failed) and all links are closed.
  net::Awaitable<void> run();

  // --- on this worker's thread ----------------------------------------------------------------
  void end(transcript::CloseReason reason, const std::string& why);
  /// Calls `done` once the session is settled: its final record is durable, or never will be.
  void when_settled(std::function<void()> done);
  void suspend(const std::string& why);
  /// Aborts every connection: there is no time left to close them in order.
  void abort_links();
  void journal_moved() override;
  /// Sets the first message to the client.
  void queue_first(std::string message);
  /// Gives the session a returning client; the previous connection is closed with 4000. Returns
  /// false and leaves `client` alone if the conversation is over.
  bool attach(ReturningClient& client);
  /// Closes the client's connection with 3000 if it was admitted with this token or key; the
  /// session is detached.
  void credential_revoked(const std::string& credential_id);
  void credentials_revoked(const std::unordered_set<std::string>& credential_ids);

  const session::RealtimeSession& session() const { return session_; }
  /// For log lines; empty if the conversation is not traced.
  const std::string& trace_id() const { return report_.trace_id(); }

 private:
  // One for each direction of a link.
  net::Awaitable<void> read_client(Link& link);
  net::Awaitable<void> write_client(Link& link);
  net::Awaitable<void> run_upstream(Link& link);
  net::Awaitable<void> write_upstream(Link& link);
  net::Awaitable<void> keep_time();

  /// Sends what may leave, as far as the connection accepts it at once.
  session::Changes send(Link& link);
  void send_burst(Link& link, const session::Outbox& outbox);
  void count_relayed(const Link& link, std::span<const protocol::MessagePtr> sent);
  void first_audio(std::int64_t received_us, std::int64_t sent_us);
  /// Waits until the link is to be read on: the queues have room, or the conversation has ended.
  net::Awaitable<void> await_reading(Link& link);
  /// Handles a message from the client while it is the session's client.
  void take(Link& link, net::Received& received);
  /// Handles a message from the provider.
  void take_upstream(Link& link, net::Received& received);
  /// Drains and pings a connection. Returns true when the link may be closed in order.
  net::Awaitable<bool> write_loop(Link& link);
  /// The queue of messages for the link; null: nothing will be sent on it any more.
  const session::Outbox* outbox_of(const Link& link) const;
  net::Awaitable<void> close(Link& link, std::uint16_t code, std::string reason,
                             session::LinkEnd how = {});
  /// Closes the client's connection because of a message from it; the client may return.
  void refuse(Link& link, std::uint16_t code, const char* error_code, std::string why);
  /// Whether to read: false while the queue of the other side or of the journal is full.
  bool wanted(const Link& link) const;
  bool may_send(const Link& link, const session::Outbox& outbox) const;
  void add_client(std::unique_ptr<net::Peer> peer, const std::string& credential_id);
  void spawn(Link& link, net::Awaitable<void> loop);
  void spawn(net::Awaitable<void> loop, Link* link);
  void on_loop_exit(Link* link, const std::exception_ptr& bug);
  /// Detaches a link from the session; it gets a moment to be closed.
  void replace(Link& link);
  /// Carries out what an input of the session changed. Call it after each.
  void act(session::Changes changes);
  session::Changes act_on(Link& link, session::Changes changes);
  void dial();
  /// Notifies the loops of links that the session needs no more.
  void release_superfluous();
  void on_ended();
  void on_settled();
  /// Waits for the journal if the session does. Returns what has changed if it has moved already.
  session::Changes await_journal();
  /// For the observer: how long the latest recorded event waits for the disk.
  void begin_journal_wait();
  void end_journal_wait();
  /// Informs the session that a link has ended. Only the first call counts.
  void gone(Link& link, const session::LinkEnd& how);
  /// Aborts a failed or unneeded connection.
  void abort(Link& link, const session::LinkEnd& how);
  /// Closes a connection after an orderly end or our refusal: the peer gets time to read it and to
  /// disconnect.
  net::Awaitable<void> shut_down(Link& link);
  /// The end of a connection that we closed for a reason.
  static session::LinkEnd refused_end(const Link::Farewell& farewell);
  /// Handles the end that read() returned.
  net::Awaitable<void> finish(Link& link, const net::Received& last);
  /// Pings a silent peer and aborts a dead connection.
  void check_keepalive(Link& link);
  static net::Clock::time_point heard(const Link& link);
  net::Clock::time_point next_look(const Link& link) const;
  bool some_open() const;
  void tap(protocol::Direction direction, const protocol::Message& message, net::FrameType frame,
           Moment now);
  /// Removes secrets: a provider's error may repeat its key.
  void hide_secrets(std::string& message) const;

  Worker& worker_;
  session::RealtimeSession session_;
  transcript::Journal& journal_;
  const Upstream& upstream_;
  DriverOptions options_;
  Log& log_;
  std::list<Link>
      links_;  ///< includes links that are being closed; removed when their loops have ended
  Link* client_ = nullptr;
  net::JoinCounter loops_;
  net::AsyncEvent time_;
  std::int64_t awake_at_ms_ = 0;  ///< next check of the session's deadlines
  net::AsyncEvent settled_;
  std::vector<std::function<void()>> to_call_when_settled_;
  SessionReport report_;
  std::int64_t waits_since_us_ = 0;  ///< for the journal; 0: does not wait, or nothing observes it
  transcript::Sequence waits_for_ = 0;
  std::uint16_t close_code_ = 0;  ///< overrides the code of the close reason
  net::Clock::time_point abort_at_ =
      net::Clock::time_point::max();  ///< end of the time for sending the rest
};

}  // namespace verbatim::relay
