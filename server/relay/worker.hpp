// One thread of the program: its event loop, its counts, and the gate through which the journal
// wakes the sessions that live on it.
#pragma once

#include <atomic>
#include <boost/asio/executor_work_guard.hpp>
#include <thread>
#include <vector>

#include "base/thread_name.hpp"
#include "server/net/async.hpp"
#include "server/relay/metrics.hpp"
#include "session/transcript/journal.hpp"

namespace verbatim::server {

/// Who waits for the journal.
class JournalWaiter {
 public:
  virtual ~JournalWaiter() = default;
  /// On the worker's thread: the journal has moved (or failed). Wait again if that is not enough.
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

  Executor executor() { return context_.get_executor(); }
  Tally& tally() { return tally_; }

  // --- this worker's thread -----------------------------------------------------------------
  /// Calls back once the journal has moved. The caller looks at the watermark again afterwards,
  /// since it may have moved while this was being said.
  void await_journal(JournalWaiter& waiter) {
    for (const JournalWaiter* one : waiting_) {
      if (one == &waiter) return;
    }
    waiting_.push_back(&waiter);
    someone_waits_.store(true);
    // Pairs with the fence below: either we see the new watermark, or the writer sees us waiting.
    std::atomic_thread_fence(std::memory_order_seq_cst);
  }
  void forget(JournalWaiter& waiter) { std::erase(waiting_, &waiter); }

  // --- the journal's thread -----------------------------------------------------------------
  void journal_moved() {
    std::atomic_thread_fence(std::memory_order_seq_cst);
    if (!someone_waits_.exchange(false)) return;  // one wake-up a batch, none if nobody waits
    asio::post(context_, [this] { wake(); });
  }

  /// Ends the loop as it stands and waits for that. What is still suspended on it is destroyed
  /// with the worker: by then no session is left, only idle connections.
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
  asio::executor_work_guard<Executor> work_;
  std::thread thread_;
};

}  // namespace verbatim::server
