// The registry of live sessions: their threads, and the coroutines that wait for one to become
// final. Admits new sessions within the limit, and ends all of them when the server drains.
//
// Any thread. One small mutex, never held during a call out; taken when a session opens, ends or is
// waited for, never on a message's path.
#pragma once

#include <atomic>
#include <cstddef>
#include <functional>
#include <memory>
#include <mutex>
#include <optional>
#include <string>
#include <unordered_map>
#include <unordered_set>
#include <vector>

#include "server/relay/session_driver.hpp"
#include "server/relay/worker.hpp"

namespace verbatim::relay {

class MetricsPage;

enum class Admission { admitted, full, draining, busy };

/// How a session that was running stands after Registry::end().
enum class Ended {
  not_running,
  kept,       ///< its final record is durable
  not_kept,   ///< its final record can never become durable in this process
  suspended,  ///< the next process continues it
};

class Registry {
 public:
  explicit Registry(std::size_t sessions_max) : sessions_max_(sessions_max) {}

  /// Sessions beyond it go on.
  void set_sessions_max(std::size_t most) { sessions_max_ = most; }
  /// Reserves the id for a conversation. `busy`: it is in use; watch(), join() or end() that
  /// session.
  Admission admit(const std::string& session_id, const std::string& user = {});
  /// Reserves the id to end or erase what is stored under it. Never `full`: it adds no
  /// conversation, and a full server must be able to get rid of one.
  Admission reserve(const std::string& session_id);
  /// The session runs now; notifies those that wait for it. On the worker's thread. Returns false
  /// if the server began to drain meanwhile.
  bool attach(const std::string& session_id, Worker& worker, SessionDriver& driver);
  /// The session has ended and is durable; notifies those that wait for it. On its worker's thread.
  void release(const std::string& session_id);

  /// The user of a session, while its id is reserved.
  std::optional<std::string> user_of(const std::string& session_id) const;
  /// Whether the session can be joined: it runs and has not ended.
  net::Awaitable<bool> goes_on(std::string session_id, net::Executor executor);
  /// Gives a running session a returning client.
  /// `done`: called on the session's thread; gets the connection back if the session has ended.
  void join(const std::string& session_id, ReturningClient client,
            std::function<void(std::unique_ptr<net::Peer>)> done);

  /// Ends a live session. Any thread.
  void end(const std::string& session_id, transcript::CloseReason reason, std::string why);
  /// The same. `done`: called once the session has settled, on its thread; at once if it does not
  /// run. Never called if the disk does not answer.
  void end(const std::string& session_id, transcript::CloseReason reason, std::string why,
           std::function<void(Ended)> done);
  /// Suspends a live session: another process may continue it. Any thread.
  void suspend(const std::string& session_id, const std::string& why);
  /// The ids in use. Any thread.
  std::vector<std::string> ids() const;
  /// Closes the connections that were opened with this token or key.
  void end_connections_of(const std::string& credential_id);
  void end_connections_of(std::shared_ptr<const std::unordered_set<std::string>> credential_ids);
  /// Ends all live sessions.
  void end_all(transcript::CloseReason reason, const std::string& why);
  /// Admits no session any more and ends all.
  void drain(transcript::CloseReason reason, const std::string& why);
  /// The same, but suspends each conversation that the next process can continue.
  void drain_to_next(const std::string& why);
  /// Aborts the connections of all sessions. Sessions that have ended or are suspended are over
  /// then.
  void abort_all();

  std::size_t live() const;
  bool draining() const;
  /// Any thread.
  void add_metrics(MetricsPage& page) const;

  /// An event that is notified on `executor` when the session begins to run and when it is
  /// released.
  std::shared_ptr<net::AsyncEvent> watch(const std::string& session_id,
                                         const net::Executor& executor);
  /// An event that is notified when no session is live any more.
  std::shared_ptr<net::AsyncEvent> watch_empty(const net::Executor& executor);

 private:
  struct Entry {
    std::string user;
    Worker* worker = nullptr;
    SessionDriver* driver = nullptr;
  };
  struct Waiter {
    net::Executor executor;
    std::weak_ptr<net::AsyncEvent> event;
  };
  static void notify(const Waiter& waiter);
  /// Calls `act` with the session's driver, on the driver's thread; with null if there is none.
  void post_to(Worker& worker, const std::string& session_id,
               std::function<void(SessionDriver*)> act);
  void visit(const std::string& session_id, std::function<void(SessionDriver*)> act);
  std::vector<Waiter> take_waiters(const std::string& session_id);
  void begin_draining();
  void with_all(const std::function<void(SessionDriver&)>& act);

  Admission take(const std::string& session_id, const std::string& user, std::size_t sessions_max);

  std::atomic<std::size_t> sessions_max_;
  mutable std::mutex mutex_;
  bool draining_ = false;
  std::unordered_map<std::string, Entry> sessions_;
  std::unordered_multimap<std::string, Waiter> waiters_;
  std::optional<Waiter> empty_waiter_;
};

}  // namespace verbatim::relay
