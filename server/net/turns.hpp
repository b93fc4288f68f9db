// Lets the coroutines of one thread do long pieces of work one at a time, and together in no more
// than a quarter of that thread's time: a hundred TLS handshakes that come at once hold up no
// session on it, and leave a processor to the other threads.
//
// One thread. Shared by its users, since a coroutine may be destroyed after whoever made it.
#pragma once

#include <deque>
#include <memory>
#include <utility>

#include "server/net/async.hpp"

namespace verbatim::server {

class Turns : public std::enable_shared_from_this<Turns> {
 public:
  explicit Turns(const Executor& executor) : pause_(executor) {}

  /// Held while the work is done.
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

  /// Completes when it is this coroutine's turn, in the order of asking.
  Awaitable<Turn> take() {
    if (std::exchange(taken_, true)) {
      Waiter waiter(*this);
      co_await waiter.event.wait();
      waiter.served = true;
    }
    co_return Turn(shared_from_this());
  }

 private:
  /// In the queue as long as it lives, unless it is its turn.
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

  /// The next turn begins after a pause, and when the loop has come round.
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

}  // namespace verbatim::server
