// Which sessions are live, on which thread, and who waits for one to become final. Admits new ones
// within the limit; ends them all when the server drains.
//
// Any thread; one small mutex, never held across a call out. It is touched when a session opens,
// ends or is waited for, never on a message's path.
#pragma once

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

namespace verbatim::server {

enum class Admission { admitted, full, draining, busy };

class Registry {
 public:
  explicit Registry(std::size_t sessions_max) : sessions_max_(sessions_max) {}

  /// Reserves the id. `busy`: it is taken already; watch() it, join() it, or end() it.
  Admission admit(const std::string& session_id, const std::string& user = {});
  /// The session now runs; on its worker's thread: wakes whoever watches it. False if the server
  /// began to drain meanwhile.
  bool attach(const std::string& session_id, Worker& worker, SessionDriver& driver);
  /// It is over and durable: wakes whoever watches it. On its worker's thread.
  void release(const std::string& session_id);

  /// Whose place it is, while it is taken.
  std::optional<std::string> user_of(const std::string& session_id) const;
  /// Whether it can be joined: it runs and is not over.
  Awaitable<bool> goes_on(std::string session_id, Executor executor);
  /// Gives a running session its client on a new connection. `done`, on the session's thread, gets
  /// the connection back if the session is over. `credential_id`:
  /// Principal::credential_id().
  void join(const std::string& session_id, std::unique_ptr<Peer> client, session::ClientReturn how,
            std::string credential_id, std::function<void(std::unique_ptr<Peer>)> done);

  /// Ends a live session from any thread.
  void end(const std::string& session_id, session::CloseReason reason, std::string why);
  /// Closes the connections that clients have opened with this token.
  void end_connections_of(const std::string& credential_id);
  void end_connections_of(std::shared_ptr<const std::unordered_set<std::string>> credential_ids);
  /// Ends everybody who is live now.
  void end_all(session::CloseReason reason, const std::string& why);
  /// Admits nobody any more and ends everybody.
  void drain(session::CloseReason reason, const std::string& why);
  /// The same, but what can be carried on by the next process is left to it.
  void drain_to_next(const std::string& why);

  std::size_t live() const;
  bool draining() const;

  /// Rung on `executor` when the session begins to run and when it is released.
  std::shared_ptr<AsyncEvent> watch(const std::string& session_id, const Executor& executor);
  /// Rung when nothing is live any more.
  std::shared_ptr<AsyncEvent> watch_empty(const Executor& executor);

 private:
  struct Entry {
    std::string user;
    Worker* worker = nullptr;
    SessionDriver* driver = nullptr;
  };
  struct Watcher {
    Executor executor;
    std::weak_ptr<AsyncEvent> event;
  };
  static void notify(const Watcher& watcher);
  /// Calls `act` with the session's driver, on its thread; with null if it is not there (any more).
  void post_to(Worker& worker, const std::string& session_id,
               std::function<void(SessionDriver*)> act);
  void visit(const std::string& session_id, std::function<void(SessionDriver*)> act);
  std::vector<Watcher> take_watchers(const std::string& session_id);
  void begin_draining();
  void with_all(const std::function<void(SessionDriver&)>& act);

  const std::size_t sessions_max_;
  mutable std::mutex mutex_;
  bool draining_ = false;
  std::unordered_map<std::string, Entry> sessions_;
  std::unordered_multimap<std::string, Watcher> watchers_;
  std::optional<Watcher> empty_watcher_;
};

}  // namespace verbatim::server
