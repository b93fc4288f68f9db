// Carries out what a RealtimeSession decides: reads and writes its client and its provider's
// upstream connections, dials, keeps time, waits for the journal. Two loops for each connection and
// one clock, one join, one teardown.
//
// Lives on one worker's thread. Owned by the coroutine that runs run(), and done when that returns:
// nothing it started is left. Connections come and go meanwhile: a client that comes back is given
// by attach(), the provider's are dialled here.
#pragma once

#include <chrono>
#include <exception>
#include <list>
#include <memory>
#include <optional>
#include <string>
#include <unordered_set>
#include <vector>

#include "base/log.hpp"
#include "server/net/async.hpp"
#include "server/net/peer.hpp"
#include "server/relay/traffic_capture.hpp"
#include "server/relay/upstream.hpp"
#include "server/relay/worker.hpp"
#include "session/realtime_session.hpp"

namespace verbatim::server {

struct DriverOptions {
  std::chrono::milliseconds ping_interval{20'000};
  std::chrono::milliseconds close_timeout{5'000};
  std::unique_ptr<Capture::Stream> capture;  ///< null: off
  std::string providers_messages;            ///< owner of the large ones
  std::string model;          ///< what the client asked for; empty: the configured one
  std::string credential_id;  ///< Principal::credential_id() of the client
  std::shared_ptr<const session::SecretFilter> secrets;  ///< cut out of the provider's errors
};

class SessionDriver final : public JournalWaiter {
 public:
  /// `client` may be null if it is gone already, and `session` knows.
  SessionDriver(Worker& worker, session::RealtimeSession session, session::Journal& journal,
                std::unique_ptr<Peer> client, const Upstream& upstream, DriverOptions options,
                Log& log);

  /// Runs the conversation to its end; returns when its final record is durable (or the journal
  /// has failed) and all links are closed.
  Awaitable<void> run();

  // --- this worker's thread -----------------------------------------------------------------
  void end(session::CloseReason reason, const std::string& why);
  void suspend(const std::string& why);
  void journal_moved() override;
  /// The first message that the client gets, before anything else.
  void greet(std::string message);
  /// The client on another connection; the one before is closed with 4000. False, with `client`
  /// left alone, if the conversation is over.
  bool attach(std::unique_ptr<Peer>& client, const session::ClientReturn& how,
              const std::string& credential_id);
  /// Closes the client's connection (3000) if it has shown this token or key; the session is
  /// detached.
  void credential_revoked(const std::string& credential_id);
  void credentials_revoked(const std::unordered_set<std::string>& credential_ids);

  const session::RealtimeSession& session() const { return session_; }

 private:
  /// A connection, and what its loops share.
  struct Link {
    explicit Link(const Executor& executor) : readable(executor), writable(executor) {}
    bool is_client() const { return upstream == 0; }
    bool is_open() const { return peer && !gone; }
    void begin_reading() {
      reading_since = Clock::now();
      reading = true;
    }

    session::UpstreamId upstream = 0;  ///< of the provider's; 0: the client's
    std::string credential_id;         ///< Principal::credential_id()
    std::unique_ptr<Peer> peer;
    Dial dial;
    AsyncEvent readable;  ///< rung when reading may go on
    AsyncEvent writable;  ///< rung when there may be something to write
    int loops = 0;        ///< of its own that run
    bool ping_due = false;
    bool pinged = false;
    Clock::time_point pinged_at{};
    bool reading = false;
    Clock::time_point reading_since{};
    bool unsent = false;    ///< the connection takes no more for now: its writer drains it
    bool closing = false;   ///< nothing is sent any more but the close
    error_code failed;      ///< of sending; its writer finds it
    bool gone = false;      ///< cut or closed; said to the session
    bool replaced = false;  ///< nothing that it says or does concerns the session any more
    bool hanging_up = false;
    Clock::time_point abort_at = Clock::time_point::max();  ///< of one that is replaced or refused

    /// The connection is closed with these, its conversation goes on.
    struct Farewell {
      std::uint16_t code;
      std::string reason;
      std::uint64_t last_message;  ///< that is still sent on it
    };
    std::optional<Farewell> farewell;

    /// Of large messages that are leaving, or have left.
    struct Leaving {
      Leaving() = default;
      ~Leaving() { left(); }
      Leaving(const Leaving&) = delete;
      Leaving& operator=(const Leaving&) = delete;
      void left() {
        for (const auto& memory : messages) memory->sent();
        messages.clear();
      }
      std::vector<std::shared_ptr<session::MessageMemory>> messages;
    };
    Leaving leaving;
  };

  // One per direction of a link.
  Awaitable<void> read_client(Link& link);
  Awaitable<void> write_client(Link& link);
  Awaitable<void> run_upstream(Link& link);
  Awaitable<void> write_upstream(Link& link);
  Awaitable<void> keep_time();

  /// Sends what may leave, as far as the connection takes it at once.
  void send(Link& link);
  /// Waits where a connection takes no more, and pings. Returns true when the link may be closed in
  /// order.
  Awaitable<bool> write_loop(Link& link);
  /// What may be written to the link now; null: nothing will be any more.
  session::Outbox* outbox_of(const Link& link);
  Awaitable<void> close(Link& link, std::uint16_t code, std::string reason,
                        session::LinkEnd how = {});
  /// Closes the client's connection for what came on it; the client may come back.
  void refuse(Link& link, std::uint16_t code, const char* error_code, std::string why);
  /// False while the other side's queue, or the journal's, is full.
  bool wanted(const Link& link);
  /// A large message waits until there is room for it, so that none is refused further on.
  Awaitable<void> await_room(Link& link);
  /// What came from the client, while it speaks for the session.
  void take(Link& link, Received& received);
  bool may_send(const Link& link, const session::Outbox& outbox) const;
  void add_client(std::unique_ptr<Peer> peer, const std::string& credential_id);
  void spawn(Link& link, Awaitable<void> loop);
  void spawn(Awaitable<void> loop, Link* link);
  void on_loop_exit(Link* link, const std::exception_ptr& bug);
  /// It is not the session's link any more: it gets a moment to be closed.
  void replace(Link& link);
  /// After every input: dials what is wanted, rings whoever has something to do.
  void pump();
  bool wake_links();
  /// Counts and logs what has become of connections since the last time.
  void report();
  void report_responses();
  /// A link has ended, however: tells the session. Only the first call counts.
  void gone(Link& link, const session::LinkEnd& how);
  /// It has failed, or nobody waits for it any longer.
  void abort(Link& link, const session::LinkEnd& how);
  /// It has ended in order, or by our refusal: the peer gets the time to hear that, and to hang up.
  Awaitable<void> shut_down(Link& link);
  /// How a connection ended that we have closed for a reason.
  static session::LinkEnd refused_end(const Link::Farewell& farewell);
  /// What read() told that is no message.
  Awaitable<void> finish(Link& link, const Received& last);
  /// Pings a silent peer, gives up a dead one.
  void check_keepalive(Link& link);
  static Clock::time_point heard(const Link& link);
  Clock::time_point next_look(const Link& link) const;
  bool some_open() const;
  void capture(session::Direction direction, const std::string& event);
  /// What the provider says of an error may repeat its key.
  void hide_secrets(std::string& message) const;

  Worker& worker_;
  session::RealtimeSession session_;
  session::Journal& journal_;
  const Upstream& upstream_;
  DriverOptions options_;
  Log& log_;
  std::list<Link> links_;  ///< also those that are being closed; removed when their loops are over
  Link* client_ = nullptr;
  JoinCounter loops_;
  AsyncEvent time_;
  std::int64_t awake_at_ms_ = 0;  ///< when the session's clock will be looked at next
  AsyncEvent settled_;
  session::RealtimeSession::Counts reported_;
  bool detached_reported_ = false;
  decltype(session::ResponseCounts::by_status) responses_reported_{};
  bool failure_logged_ = false;   ///< of a response
  std::uint16_t close_code_ = 0;  ///< overrides the reason's
  bool end_seen_ = false;
  bool client_was_behind_ = false;
  Clock::time_point cut_at_ = Clock::time_point::max();  ///< all may be said: patience ends
};

}  // namespace verbatim::server
