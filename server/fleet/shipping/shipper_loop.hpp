// The thread of the shipper.
#pragma once

#include <chrono>
#include <condition_variable>
#include <deque>
#include <mutex>
#include <optional>
#include <string>

#include "base/backoff.hpp"
#include "base/event_fd.hpp"
#include "server/fleet/shipping/database_names.hpp"
#include "server/fleet/shipping/lease.hpp"
#include "server/fleet/shipping/outage.hpp"
#include "server/fleet/shipping/registration.hpp"
#include "server/fleet/shipping/shipper.hpp"

namespace verbatim::shipping {

class Shipper::Loop {
 public:
  using Clock = std::chrono::steady_clock;

  Loop(ShipperParts parts, std::unique_ptr<store::Shipping> shipping, ShippingState& state);
  Loop(const Loop&) = delete;
  Loop& operator=(const Loop&) = delete;

  void run();
  /// Any thread.
  void finish(std::chrono::milliseconds patience);

 private:
  struct Batch {
    transcript::Sequence upto = 0;
    transcript::Sequence covers = 0;  ///< confirmed with it: everything up to here
    std::uint64_t events = 0;
    std::uint64_t bytes = 0;
    std::optional<TimeMs> oldest_at = std::nullopt;  ///< of its events
    bool rows = false;                               ///< not a renewal alone
    Lease::Renewal renewal = 0;
  };

  bool before() const { return parts_.settings.ship == config::Ship::before; }
  bool stopping() const;
  std::optional<Clock::time_point> finish_at() const;

  /// Works until the connection ends. Returns the reason.
  DatabaseError serve();
  DatabaseResult<> connect();
  DatabaseResult<> enter(Registered registered);
  DatabaseResult<> require_commits_last();
  DatabaseResult<> receive();
  DatabaseResult<> confirm_oldest();
  DatabaseResult<> send_what_is_due();
  DatabaseResult<> send_next();
  DatabaseResult<> send_batch(const store::Shipment* shipment, Batch batch);
  bool may_send() const;
  bool renewal_due() const;
  /// Whether everything is shipped, at the end of the process.
  bool finished();
  void wait_for_work();
  void look();
  void look_at_backlog();
  void note_locally();
  void show_lease();
  /// Gives this node's sessions to the others, and waits for that until then.
  void leave(Clock::time_point until);
  void failed(const DatabaseError& error);
  void pause();
  void be_fenced(const DatabaseError& error);
  std::optional<std::string> unreplicated(const std::string& commit,
                                          const std::string& standbys) const;

  ShipperParts parts_;
  const std::unique_ptr<store::Shipping> shipping_;
  ShippingState& state_;
  Outage outage_;
  EventFd wake_;   ///< readable once the time of finish() is over: nothing waits any longer
  EventFd nudge_;  ///< readable when finish() is called
  mutable std::mutex mutex_;
  std::condition_variable ended_;
  bool done_ = false;
  std::optional<Clock::time_point> finish_at_;

  std::optional<Connection> connection_;
  std::optional<Sender> sender_;
  std::deque<Batch> in_flight_;
  std::optional<Lease> lease_;             ///< of the incarnation
  transcript::Sequence read_up_to_ = 0;    ///< in the stream
  transcript::Sequence sent_up_to_ = 0;    ///< watermark of the last batch
  transcript::Sequence noted_ = 0;         ///< the store knows it as shipped
  transcript::Sequence acknowledged_ = 0;  ///< by this connection
  bool acknowledged_rows_ = false;
  bool more_ = true;  ///< there may be something to read
  bool full_batch_ = false;
  bool catching_up_ = false;
  bool backlog_full_ = false;
  Clock::time_point last_sent_{};
  Clock::time_point last_heard_{};
  Clock::time_point next_look_{};
  Clock::time_point next_note_{};
  Backoff backoff_;
  std::string last_failure_;
  Trouble last_trouble_ = Trouble::unreachable;
};

}  // namespace verbatim::shipping
