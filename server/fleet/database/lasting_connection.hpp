// The connection of one thread to the fleet's database, which is opened again after an error, with
// growing pauses (fleet.retry_min, fleet.retry_max).
//
// The thread's own, except stop().
#pragma once

#include <chrono>
#include <optional>
#include <string>

#include "base/assert.hpp"
#include "base/backoff.hpp"
#include "base/event_fd.hpp"
#include "server/fleet/database/connection.hpp"

namespace verbatim::database {

class LastingConnection {
 public:
  using Clock = Connection::Clock;

  /// `application`: shown in the database's list of connections. `first`: a script that each
  /// connection begins with; empty: none.
  LastingConnection(const config::Fleet& settings, std::string application, std::string first = {});

  /// Every call that waits gives up, now and later. Any thread.
  void stop() { stop_.notify(); }

  /// Opens it, if it is not open. While the pause after an error lasts: that error.
  DatabaseResult<> connect();
  bool is_open() const { return connection_.has_value(); }
  /// Precondition: is_open().
  Connection& operator*() {
    VERBATIM_EXPECTS(is_open());
    return *connection_;
  }
  Connection* operator->() { return &**this; }
  /// The end of the pause.
  Clock::time_point connect_at() const { return connect_at_; }

  /// The next connect() opens another one at once.
  void close() { connection_.reset(); }
  /// The next connect() opens another one after a pause. A pause that lasts is not made longer.
  void close_and_pause(DatabaseError why);

 private:
  const config::Fleet settings_;
  const std::string application_;
  const std::string first_;
  EventFd stop_;
  Backoff backoff_;
  std::optional<Connection> connection_;
  Clock::time_point connect_at_{};
  DatabaseError error_;  ///< the reason of the pause
};

}  // namespace verbatim::database
