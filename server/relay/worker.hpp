// One worker thread: its event loop, its counters, and the gate through which the journal notifies
// the sessions on this thread. The application owns the workers.
#pragma once

#include <atomic>
#include <boost/asio/executor_work_guard.hpp>
#include <thread>
#include <vector>

#include "base/thread_name.hpp"
#include "server/net/async.hpp"
#include "server/relay/tally.hpp"
#include "session/transcript/journal.hpp"

namespace verbatim::relay {

/// A session that waits for the journal.
class JournalWaiter {
 public:
  virtual ~JournalWaiter() = default;
  /// More of the journal is durable, or it has failed. Wait again if that is not enough. On the
  /// worker's thread.
  virtual void journal_moved() = 0;
};

class Worker {
 public:
  explicit Worker(Tally& tally)
      : tally_(tally), work_(asio::make_work_guard(context_)), thread_([this] {
          name_this_thread("worker");
          context_.run();
        }) {}

  ~Worker() { join(); }
  Worker(const Worker&) = delete;
  Worker& operator=(const Worker&) = delete;

  net::Executor executor() { return context_.get_executor(); }
  Tally& tally() { return tally_; }

  // --- on this worker's thread ----------------------------------------------------------------
  /// Calls journal_moved() once the journal has moved. The caller must check the watermark again
  /// after this call, since it may have moved meanwhile.
  void await_journal(JournalWaiter& waiter) {
    for (const JournalWaiter* one : waiting_) {
      if (one == &waiter) return;
    }
    waiting_.push_back(&waiter);
    someone_waits_.store(true);
    // Pairs with the fence below: either we see the new watermark, or the writer sees that we wait.
    std::atomic_thread_fence(std::memory_order_seq_cst);
  }
  void forget(JournalWaiter& waiter) { std::erase(waiting_, &waiter); }

  // --- on the journal's thread ----------------------------------------------------------------
  void journal_moved() {
    std::atomic_thread_fence(std::memory_order_seq_cst);
    if (!someone_waits_.exchange(false))
      return;  // one wake-up for each batch, none without a waiter
    asio::post(context_, [this] { wake(); });
  }

  /// Stops the loop and waits for its thread. Coroutines still suspended on it are destroyed with
  /// the worker: by then no session is left, only idle connections.
  void join() {
    context_.stop();
    if (thread_.joinable()) thread_.join();
  }

 private:
  void wake() {
    std::vector<JournalWaiter*> woken;
    woken.swap(waiting_);
    while (!woken.empty()) {
      JournalWaiter* one = woken.back();
      woken.pop_back();
      one->journal_moved();
    }
  }

  asio::io_context context_{1};
  Tally& tally_;
  std::vector<JournalWaiter*> waiting_;
  std::atomic<bool> someone_waits_{false};
  asio::executor_work_guard<net::Executor> work_;
  std::thread thread_;
};

}  // namespace verbatim::relay
