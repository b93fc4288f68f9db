// Which sessions are live, on which thread, and who waits for one to become final. Admits new ones
// within the limit; ends them all when the server drains.
//
// Any thread; one small mutex, never held across a call out. It is touched when a session opens,
// ends or is waited for, never on a message's path.
#pragma once

#include <cstddef>
#include <memory>
#include <mutex>
#include <optional>
#include <string>
#include <unordered_map>

#include "server/session_driver.hpp"
#include "server/worker.hpp"

namespace verbatim::server {

enum class Admission { admitted, full, draining, busy };

class Registry {
 public:
  explicit Registry(std::size_t sessions_max) : sessions_max_(sessions_max) {}

  /// Reserves the id. `busy`: it is live already; watch() it, or replace() it.
  Admission admit(const std::string& session_id);
  /// The session now runs; on its worker's thread. False if the server began to drain meanwhile.
  bool attach(const std::string& session_id, Worker& worker, SessionDriver& driver);
  /// It is over and durable: wakes whoever watches it. On its worker's thread.
  void release(const std::string& session_id);

  /// Ends a live session from any thread.
  void end(const std::string& session_id, session::CloseReason reason, std::string why);
  /// Ends everybody who is live now.
  void end_all(session::CloseReason reason, const std::string& why);
  /// Admits nobody any more and ends everybody.
  void drain(session::CloseReason reason, const std::string& why);

  std::size_t live() const;
  bool draining() const;

  /// Rung on `executor` when the session is released, also if it is not live yet.
  std::shared_ptr<Doorbell> watch(const std::string& session_id, const Executor& executor);
  /// Rung when nothing is live any more.
  std::shared_ptr<Doorbell> watch_empty(const Executor& executor);

 private:
  struct Entry {
    Worker* worker = nullptr;
    SessionDriver* driver = nullptr;
  };
  struct Watcher {
    Executor executor;
    std::weak_ptr<Doorbell> bell;
  };
  static void ring(const Watcher& watcher);
  void post_end(Worker& worker, const std::string& session_id, session::CloseReason reason,
                std::string why);

  const std::size_t sessions_max_;
  mutable std::mutex mutex_;
  bool draining_ = false;
  std::unordered_map<std::string, Entry> sessions_;
  std::unordered_multimap<std::string, Watcher> watchers_;
  std::optional<Watcher> empty_watcher_;
};

}  // namespace verbatim::server
