// A connection to the fleet's database on a thread of its own, for reads of the API. Reads of
// several shares are done in turn. No read waits longer than fleet.silence_max for the database,
// and none waits for a connection that could not be made.
//
// Any thread calls. Errors are values.
#pragma once

#include <condition_variable>
#include <functional>
#include <mutex>
#include <optional>
#include <string>
#include <thread>
#include <utility>

#include "base/fair_queue.hpp"
#include "base/line_limit.hpp"
#include "base/log.hpp"
#include "config/settings.hpp"
#include "server/fleet/database/lasting_connection.hpp"

namespace verbatim::reading {

class Reader {
 public:
  using Clock = std::chrono::steady_clock;

  /// `name`: of the thread, and in the database's list of connections; at most 15 characters.
  Reader(const config::Fleet& settings, const char* name, Log& log);
  /// Answers what waits with an error.
  ~Reader();
  Reader(const Reader&) = delete;
  Reader& operator=(const Reader&) = delete;

  /// Runs `work(connection)` on the thread, and then `done(result)`. `again`: the work may run a
  /// second time, over a new connection, if the first one turns out to be lost.
  template <class T>
  void run(const std::string& share, bool again,
           std::function<database::DatabaseResult<T>(database::Connection&)> work,
           std::function<void(database::DatabaseResult<T>)> done) {
    push(share, {[work = std::move(work), done](database::Connection& connection, bool last) {
                   auto result = work(connection);
                   if (!result && !last) return Outcome{std::move(result.error()), false};
                   Outcome outcome;
                   if (!result) outcome.error = result.error();
                   outcome.answered = true;
                   done(std::move(result));
                   return outcome;
                 },
                 [done](database::DatabaseError error) { done(tl::unexpected(std::move(error))); },
                 again});
  }

 private:
  struct Outcome {
    std::optional<database::DatabaseError> error;
    bool answered = false;
  };
  struct Job {
    /// `last`: an error is the answer.
    std::function<Outcome(database::Connection&, bool last)> work;
    std::function<void(database::DatabaseError)> fail;
    bool again = false;
  };

  void push(const std::string& share, Job job);
  void work();
  std::optional<Job> next();
  void perform(const Job& job);
  void report(const database::DatabaseError& error);

  const char* const name_;
  Log& log_;

  std::mutex mutex_;
  std::condition_variable wake_;
  FairQueue<Job> waiting_;
  std::size_t waiting_count_ = 0;
  bool stopping_ = false;

  // Of the thread alone.
  database::LastingConnection connection_;
  LineLimit trouble_line_{1, std::chrono::seconds(10)};
  std::thread thread_;
};

}  // namespace verbatim::reading
