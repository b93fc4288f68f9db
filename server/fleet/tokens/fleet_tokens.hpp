// Client tokens of the other nodes: brings their records here when a client presents one, revokes
// them, and follows the revocations of all nodes. A thread and a connection of its own.
//
// A token that this node does not have is asked for once for each use, until its record is here.
#pragma once

#include <chrono>
#include <condition_variable>
#include <functional>
#include <mutex>
#include <optional>
#include <set>
#include <string>
#include <thread>
#include <vector>

#include "base/clock.hpp"
#include "base/line_limit.hpp"
#include "base/log.hpp"
#include "config/settings.hpp"
#include "server/fleet/database/lasting_connection.hpp"
#include "server/relay/peers.hpp"
#include "storage/store/moving_store.hpp"

namespace verbatim::tokens {

struct FleetTokenParts {
  config::Fleet settings;
  store::MovingStore& moving;
  /// Another node has revoked this token: revokes it here, and ends its connections. Any thread.
  std::function<void(const std::string& id, store::Done<> done)> revoke_here;
  Log& log;
};

class FleetTokens {
 public:
  using TokenRecord = relay::TokenRecord;

  explicit FleetTokens(FleetTokenParts parts);
  /// Answers what waits with `unknown`.
  ~FleetTokens();
  FleetTokens(const FleetTokens&) = delete;
  FleetTokens& operator=(const FleetTokens&) = delete;

  /// Brings the token's record into this node's store. `done` is called once, on any thread. Any
  /// thread.
  void bring(const std::string& id, std::function<void(TokenRecord)> done);
  /// Revokes the token for all nodes. `done`: here if there is such a token; called once, on any
  /// thread. Any thread.
  void revoke(const std::string& id, TimeMs at, std::function<void(TokenRecord)> done);

 private:
  using Clock = std::chrono::steady_clock;
  struct Request {
    std::string id;
    std::optional<TimeMs> revoked_at;  ///< nullopt: the record is wanted
    std::function<void(TokenRecord)> done;
  };

  void run();
  /// Waits for requests, or for the time of the next look. False: the thread must end.
  bool next(std::vector<Request>& requests);
  void ask(Request request);
  void answer(const Request& request);
  database::DatabaseResult<TokenRecord> bring_now(const std::string& id);
  database::DatabaseResult<TokenRecord> revoke_now(const std::string& id, TimeMs at);
  database::DatabaseResult<> follow_revocations();
  void lose_connection(const database::DatabaseError& error);
  void report(const database::DatabaseError& error);

  FleetTokenParts parts_;
  std::mutex mutex_;
  std::condition_variable changed_;
  std::vector<Request> waiting_;
  bool stopping_ = false;

  // Of the thread alone.
  database::LastingConnection connection_;
  Clock::time_point look_at_{};
  bool all_followed_ = false;    ///< of this connection
  std::set<std::string> known_;  ///< revocations that this node has followed
  LineLimit trouble_line_{1, std::chrono::seconds(10)};
  std::thread thread_;
};

}  // namespace verbatim::tokens
