// Moves sessions between the nodes of a fleet: takes those of nodes that are gone, and gives up
// those that others have taken. A thread and a connection of its own; nothing on a message's path.
//
// - A session is in this node's store before the database names this node as its home.
// - A new incarnation first erases what other nodes have erased, and gives up what they have taken.
#pragma once

#include <atomic>
#include <chrono>
#include <condition_variable>
#include <cstdint>
#include <functional>
#include <map>
#include <mutex>
#include <optional>
#include <set>
#include <string>
#include <thread>
#include <vector>

#include "base/line_limit.hpp"
#include "base/log.hpp"
#include "config/settings.hpp"
#include "server/fleet/database/lasting_connection.hpp"
#include "server/fleet/ownership/takeover.hpp"
#include "server/fleet/ownership/takeover_queries.hpp"
#include "server/relay/peers.hpp"
#include "server/relay/session_registry.hpp"
#include "server/relay/suspended_sessions.hpp"
#include "storage/store/copy_store.hpp"
#include "storage/store/moving_store.hpp"

namespace verbatim::ownership {

/// This node, as its shipper knows it.
struct OwnNode {
  std::int64_t incarnation = 0;  ///< 0: it has none
  OwnLease lease;
};

struct OwnershipParts {
  config::Fleet settings;
  std::function<OwnNode()> own;  ///< any thread
  store::MovingStore& moving;
  store::CopyStore& copies;
  /// Erases a session from all files of this node: `stored`, else only what the store does not
  /// have.
  std::function<void(const std::string& id, bool stored, store::Done<> done)> erase;
  relay::Registry& registry;
  relay::SuspendedSessions& suspended;
  Log& log;
};

class Ownership {
 public:
  using Taken = relay::SessionDirectory::Taken;

  explicit Ownership(OwnershipParts parts);
  /// Answers what waits with `unknown`.
  ~Ownership();
  Ownership(const Ownership&) = delete;
  Ownership& operator=(const Ownership&) = delete;

  /// Takes the session over if its node is gone. `done` is called once, on any thread. Any thread.
  void take(const std::string& session_id, const relay::Node& from,
            std::function<void(Taken)> done);
  /// The node may have a new incarnation. Any thread.
  void entered();
  /// Whether sessions that wait in this node's store are certainly its own. Any thread.
  bool owns() const;

 private:
  using Clock = std::chrono::steady_clock;
  struct Request {
    std::string session_id;
    std::int64_t from = 0;
    Reason reason = Reason::client;
    std::function<void(Taken)> done;
  };
  using Requests = std::vector<Request>;
  /// The outcome of each request of one transaction, in their order.
  using Outcomes = std::vector<Taken>;

  void run();
  /// Waits for requests, or for the time of the next look. False: the thread must end.
  bool next(Requests& requests);
  /// Connected, and all that other nodes have taken over is given up.
  bool is_ready(const OwnNode& own);
  void lose_connection(const database::DatabaseError& error);
  void report(const database::DatabaseError& error);

  void answer(Requests requests, const OwnNode& own);
  void answer_those_of(std::int64_t from, Requests requests, const OwnNode& own);
  database::DatabaseResult<Outcomes> take_over(std::int64_t from, const Requests& requests,
                                               const OwnNode& own);
  /// The result of a transaction, before its COMMIT.
  struct Taking {
    Outcomes outcomes;
    std::vector<store::Shipment> sessions;
    bool left = false;  ///< their node has left in order
  };
  /// Between BEGIN and COMMIT. An error of the store is one of the database here: all is undone.
  database::DatabaseResult<Taking> take_in_transaction(std::int64_t from, const Requests& requests,
                                                       const OwnNode& own);
  void note_taken(const store::Shipment& taken, std::int64_t from, bool left);

  /// Whether this incarnation has given up all that other nodes took. Any thread.
  bool has_given_up(const OwnNode& own) const;
  database::DatabaseResult<> give_up_lost(const OwnNode& own);
  /// Erases what is left here of sessions that other nodes have erased: of the latest erasures, and
  /// now and then of all.
  database::DatabaseResult<> follow_erasures(const OwnNode& own);
  database::DatabaseResult<> erase_here(const std::vector<std::string>& session_ids);
  /// Ends these sessions here, and waits for that.
  database::DatabaseResult<> end_here(const std::vector<std::string>& session_ids,
                                      const std::string& why);
  database::DatabaseResult<> give_up(const std::vector<Lost>& lost, const OwnNode& own);
  database::DatabaseResult<> leave_tails_of(const Lost& lost, const OwnNode& own);

  database::DatabaseResult<> look(const OwnNode& own);
  database::DatabaseResult<> adopt_tails(const OwnNode& own);
  database::DatabaseResult<> end_pending_tails();
  database::DatabaseResult<> take_orphans(const OwnNode& own);

  OwnershipParts parts_;
  std::mutex mutex_;
  std::condition_variable changed_;
  Requests waiting_;
  bool stopping_ = false;
  bool entered_ = false;
  std::atomic<std::int64_t> given_up_by_{0};  ///< the incarnation that has given up what it lost

  // Of the thread alone.
  database::LastingConnection connection_;
  Clock::time_point look_at_{};
  Clock::time_point orphans_at_{};
  Clock::time_point all_erasures_at_{};
  std::set<std::string> erased_here_;  ///< the shipper confirms them, behind all it sends of them
  bool tails_pending_ = true;  ///< the store may have attempts of which another node has more
  LineLimit trouble_line_{1, std::chrono::seconds(10)};
  LineLimit alive_line_{1, std::chrono::seconds(10)};
  std::thread thread_;
};

}  // namespace verbatim::ownership
