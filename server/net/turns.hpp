// Runs the long computations of one thread one at a time, and together in at most a quarter of its
// time. A burst of a hundred TLS handshakes then delays no session and leaves processor time to the
// other threads.
//
// One thread. Shared ownership, since a coroutine that waits may outlive the object that started
// it.
#pragma once

#include <deque>
#include <memory>
#include <utility>

#include "server/net/async.hpp"

namespace verbatim::net {

class Turns : public std::enable_shared_from_this<Turns> {
 public:
  explicit Turns(const Executor& executor) : pause_(executor) {}

  /// Permission to compute. Held while the work is done.
  class Turn {
   public:
    explicit Turn(std::shared_ptr<Turns> of) : of_(std::move(of)), began_(Clock::now()) {}
    ~Turn() {
      if (of_) of_->end(Clock::now() - began_);
    }
    Turn(Turn&&) = default;
    Turn(const Turn&) = delete;
    Turn& operator=(const Turn&) = delete;

   private:
    std::shared_ptr<Turns> of_;
    Clock::time_point began_;
  };

  /// Completes when it is this coroutine's turn; first come, first served.
  Awaitable<Turn> take() {
    if (std::exchange(taken_, true)) {
      Waiter waiter(*this);
      co_await waiter.event.wait();
      waiter.served = true;
    }
    co_return Turn(shared_from_this());
  }

 private:
  /// An entry in the queue. Its destructor takes it out, or passes on a turn that was not used.
  struct Waiter {
    explicit Waiter(Turns& turns)
        : of(turns.shared_from_this()), event(turns.pause_.get_executor()) {
      of->waiting_.push_back(this);
    }
    ~Waiter() {
      if (std::erase(of->waiting_, this) == 0 && !served) of->next();
    }
    Waiter(const Waiter&) = delete;
    Waiter& operator=(const Waiter&) = delete;

    std::shared_ptr<Turns> of;
    AsyncEvent event;
    bool served = false;
  };

  /// Starts the next turn after a pause of three times `worked`.
  void end(Clock::duration worked) {
    pause_.expires_after(3 * worked);
    pause_.async_wait([self = shared_from_this()](error_code) { self->next(); });
  }
  void next() {
    if (waiting_.empty()) {
      taken_ = false;
      return;
    }
    Waiter* const first = waiting_.front();
    waiting_.pop_front();
    first->event.notify();
  }

  Timer pause_;
  bool taken_ = false;
  std::deque<Waiter*> waiting_;
};

}  // namespace verbatim::net
