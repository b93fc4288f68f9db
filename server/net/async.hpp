// The coroutine vocabulary of the server: one executor type, errors as values, and the waiting
// primitives that Boost 1.81 lacks. An upgrade of Asio changes only this file.
//
// Each object belongs to one thread: the thread of the io_context that it was constructed with.
#pragma once

#include <boost/asio/as_tuple.hpp>
#include <boost/asio/awaitable.hpp>
#include <boost/asio/basic_stream_socket.hpp>
#include <boost/asio/basic_waitable_timer.hpp>
#include <boost/asio/io_context.hpp>
#include <boost/asio/ip/tcp.hpp>
#include <boost/asio/use_awaitable.hpp>
#include <chrono>
#include <memory>

namespace verbatim {

namespace asio = boost::asio;
using boost::system::error_code;

}  // namespace verbatim

namespace verbatim::net {

using tcp = asio::ip::tcp;
using Clock = std::chrono::steady_clock;

using Executor = asio::io_context::executor_type;
template <class T = void>
using Awaitable = asio::awaitable<T, Executor>;
/// Completion token of every asynchronous call: returns a tuple that begins with an error_code.
inline constexpr auto use_tuple = asio::as_tuple(asio::use_awaitable_t<Executor>{});

using Socket = asio::basic_stream_socket<tcp, Executor>;
using Timer = asio::basic_waitable_timer<Clock, asio::wait_traits<Clock>, Executor>;

/// An event that one coroutine waits for and others notify. A notification without a waiter is
/// kept.
class AsyncEvent {
 public:
  explicit AsyncEvent(const Executor& executor) : timer_(executor, Clock::time_point::max()) {}

  void notify() {
    if (notified_) return;
    notified_ = true;
    timer_.cancel();
  }

  Awaitable<void> wait() {
    if (!notified_) co_await timer_.async_wait(use_tuple);
    notified_ = false;
  }

  /// Like wait(), but at most until `deadline`; Clock::time_point::max() means no limit.
  Awaitable<void> wait_until(Clock::time_point deadline) {
    if (!notified_) {
      timer_.expires_at(deadline);
      co_await timer_.async_wait(use_tuple);
    }
    notified_ = false;
    timer_.expires_at(Clock::time_point::max());
  }

 private:
  Timer timer_;
  bool notified_ = false;
};

/// Counts the coroutines of one owner, so that the owner can wait for all of them to end.
class JoinCounter {
 public:
  explicit JoinCounter(const Executor& executor) : event_(executor) {}
  void enter() { ++running_; }
  void leave() {
    if (--running_ == 0) event_.notify();
  }
  Awaitable<void> joined() {
    while (running_ > 0) co_await event_.wait();
  }

 private:
  AsyncEvent event_;
  int running_ = 0;
};

/// Calls `abort` once `limit` has passed, unless it was destroyed before. For operations without a
/// time limit of their own: `abort` closes their socket, so they end with an error.
class Deadline {
 public:
  template <class Abort>
  Deadline(const Executor& executor, Clock::duration limit, Abort abort)
      : timer_(executor, Clock::now() + limit), armed_(std::make_shared<bool>(true)) {
    // An expired timer's handler may already be queued when this object is destroyed. The flag
    // stops it then.
    timer_.async_wait([abort, armed = armed_](error_code ec) {
      if (!ec && *armed) abort();
    });
  }
  ~Deadline() { *armed_ = false; }
  Deadline(const Deadline&) = delete;
  Deadline& operator=(const Deadline&) = delete;

 private:
  Timer timer_;
  std::shared_ptr<bool> armed_;
};

}  // namespace verbatim::net
