// One connection to the fleet's database, by libpq. A call that waits also watches `stop`, and
// never waits longer than it says.
//
// One thread uses a connection.
#pragma once

#include <chrono>
#include <cstdint>
#include <deque>
#include <memory>
#include <optional>
#include <set>
#include <string>
#include <string_view>
#include <vector>

#include "config/settings.hpp"
#include "server/fleet/database/database_error.hpp"
#include "server/fleet/database/params.hpp"

struct pg_conn;
struct pg_result;

namespace verbatim::database {

/// A statement of the program. One with a name is planned once for each connection.
struct Statement {
  const char* name = "";
  const char* sql = "";
};

/// The rows of a result. Values are text, as the database prints them.
class Rows {
 public:
  explicit Rows(pg_result* result);
  int count() const;
  int columns() const;
  /// Rows that an INSERT, UPDATE or DELETE has changed.
  std::int64_t changed() const;
  bool is_null(int row, int column) const;
  std::string text(int row, int column) const;
  /// A column of all rows.
  std::vector<std::string> texts(int column) const;
  std::int64_t integer(int row, int column) const;
  bool flag(int row, int column) const;
  /// A column of type bytea.
  std::string bytes(int row, int column) const;

 private:
  std::shared_ptr<pg_result> result_;
};

class Connection {
 public:
  using Clock = std::chrono::steady_clock;

  /// Tries each member of fleet.url. If none accepts, the error is that of a member that answered,
  /// if one did. `application`: shown in the database's list of connections. `stop`: a descriptor;
  /// once it is readable, every call that waits gives up.
  static DatabaseResult<Connection> open(const config::Fleet& settings,
                                         const std::string& application, int stop);

  Connection(Connection&&) = default;
  Connection& operator=(Connection&&) = default;

  /// Runs one statement and waits for it, at most `patience`. Not within a pipeline.
  DatabaseResult<Rows> run(const Statement& statement, const Params& params = {});
  /// The same for a text that the program has made, such as a schema's step of several statements.
  DatabaseResult<Rows> run_script(const char* sql);

  // A pipeline: statements are sent without waiting for results. sync() ends a transaction.
  DatabaseResult<> begin_pipeline();
  DatabaseResult<> send(const Statement& statement, const Params& params);
  DatabaseResult<> sync();
  /// One result that has arrived.
  struct Arrived {
    bool synced = false;       ///< the transaction of the oldest sync() is over
    std::optional<Rows> rows;  ///< of a statement, if it has any
  };
  /// Sends and receives without waiting. nullopt: nothing more has arrived.
  DatabaseResult<std::optional<Arrived>> receive();
  /// Statements and syncs whose results have not arrived.
  std::size_t outstanding() const { return outstanding_.size(); }

  int socket() const;
  /// Events for poll(): writable only if something waits to be sent.
  short events() const { return events_; }
  /// Host and port, for the log.
  std::string member() const;
  /// A warning of class 01 has arrived. After it a commit may not be replicated.
  const std::optional<std::string>& warning() const { return state_->warning; }
  void forget_warning() { state_->warning.reset(); }

 private:
  enum class Expected : std::uint8_t { preparation, statement, sync };
  /// At an address that does not move: libpq reports notices to it.
  struct State {
    std::optional<std::string> warning;
  };
  struct Close {
    void operator()(pg_conn* connection) const;
  };

  Connection(pg_conn* connection, int stop, std::chrono::milliseconds patience);
  static DatabaseResult<Connection> open_member(const config::Fleet& settings,
                                                const std::string& application,
                                                const std::string& member, int stop);
  DatabaseResult<> wait_connected(Clock::time_point until);
  /// Waits for the socket. Error: the time is over, or `stop` is readable.
  DatabaseResult<> wait(short events, Clock::time_point until);
  DatabaseResult<> flush();
  DatabaseResult<Rows> wait_for_result();
  DatabaseError error_of_connection() const;

  std::unique_ptr<State> state_ = std::make_unique<State>();
  std::unique_ptr<pg_conn, Close> connection_;
  int stop_ = -1;
  std::chrono::milliseconds patience_{};
  short events_ = 0;
  std::deque<Expected> outstanding_;
  std::set<std::string> prepared_;
};

}  // namespace verbatim::database
