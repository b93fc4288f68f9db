// The connections of a listener: how many there are in all, how many of one address, and which of
// them only wait for a request. At a limit the connection that has waited longest is closed, as
// nginx does. A new connection is refused only if none waits.
//
// A connection counts as waiting from the moment it is accepted, not from the moment its thread
// serves it. In a flood the threads lag behind, and unserved connections would count as busy. The
// connection's thread decides last: a connection that has sent something meanwhile stays, and
// another is closed instead.
//
// Any thread. One mutex, taken when a connection opens, closes, begins to wait for a request or
// gets one; never on a message's path. Refusals are counted and logged.
#pragma once

#include <array>
#include <cstddef>
#include <cstdint>
#include <list>
#include <memory>
#include <mutex>
#include <optional>
#include <string>
#include <tl/expected.hpp>
#include <unordered_map>

#include "base/line_limit.hpp"
#include "base/log.hpp"
#include "base/reloadable.hpp"
#include "config/settings.hpp"
#include "server/net/async.hpp"
#include "server/net/connection_counts.hpp"
#include "server/net/proxies.hpp"

namespace verbatim::net {

class Connections : public std::enable_shared_from_this<Connections> {
 public:
  struct Limits {
    std::size_t all = 0;
    std::size_t of_one_address = 0;
  };
  /// The log must outlive all permits. Addresses of `proxies` and of loopback have no limit of
  /// their own.
  Connections(Limits limits, std::shared_ptr<const TrustedProxies> proxies, Log& log)
      : limits_(limits), proxies_(std::move(proxies)), log_(log) {}

  /// For the next connections. Those beyond a lower limit stay.
  void reload(Limits limits, std::shared_ptr<const TrustedProxies> proxies);

  /// Permission for one connection, returned when it is destroyed.
  class Permit : public std::enable_shared_from_this<Permit> {
   public:
    Permit(std::shared_ptr<Connections> of, Executor executor)
        : of_(std::move(of)), executor_(std::move(executor)) {}
    ~Permit();
    Permit(const Permit&) = delete;
    Permit& operator=(const Permit&) = delete;

    // --- on the connection's thread -------------------------------------------------------------
    /// It waits for a request from now on: its socket may be closed to make room.
    void idle(Socket& socket);
    /// It has a request.
    void busy();
    /// A proxy named the client's address. Returns false, and counts it, if that address has too
    /// many connections.
    bool belongs_to(const std::string& address);
    /// It asks for a WebSocket: from now on it is counted as one.
    void upgrades();
    /// Counts and logs a TLS handshake that failed or timed out.
    void handshake_failed(const std::string& address, const error_code& why);

   private:
    friend class Connections;
    /// On the connection's thread: closes the connection if it may still be closed.
    void go();
    bool stays() const;

    const std::shared_ptr<Connections> of_;
    const Executor executor_;
    Socket* socket_ = nullptr;  ///< set while it waits
    bool begun_ = false;        ///< its thread has begun to serve it
    bool upgrades_ = false;     ///< counted as a WebSocket
    bool gone_ = false;         ///< its socket was closed to make room

    // Guarded by the mutex.
    std::string address_key_;  ///< address_key() of its address; empty: no limit
    bool counted_ = false;
    bool waits_ = false;    ///< it may be chosen to be closed
    bool leaving_ = false;  ///< chosen to be closed
    std::list<Permit*>::iterator in_idle_;
  };
  using PermitPtr = std::shared_ptr<Permit>;

  /// A permit for a connection of `address` that runs on `executor`; or the reason of the refusal,
  /// which was counted and logged.
  tl::expected<PermitPtr, ConnectionRefusal> take(const std::string& address, Executor executor);

  /// Counts and logs a refusal; at most one line of each kind in ten seconds.
  void refused(ConnectionRefusal why, const std::string& address = {});
  /// Counts into `counts` as well. Call it before the first connection; `counts` must outlive all
  /// permits.
  void count_in(ConnectionCounts& counts) { counts_ = &counts; }

  std::size_t open() const;
  /// Those that do not wait for a request.
  std::size_t busy() const;

 private:
  struct Use {
    std::size_t open = 0;
    std::size_t leaving = 0;
    std::size_t staying() const { return open - leaving; }
  };

  std::string limited_key(const std::string& address) const;
  /// The mutex must be held for these functions.
  Permit* longest_idle(const std::string& key) const;
  bool make_room(const std::string& key);
  bool make_room_for_all();
  void choose_to_go(Permit& permit);
  void choose_instead_of(Permit& permit);
  void add_to_idle(Permit& permit);
  void count(Permit& permit, const std::string& key);
  void uncount(Permit& permit);
  void take_out_of_idle(Permit& permit);

  void leave(Permit& permit);
  void closed_idle();

  Limits limits_;  ///< guarded by the mutex
  Reloadable<const TrustedProxies> proxies_;
  Log& log_;
  ConnectionCounts* counts_ = nullptr;

  mutable std::mutex mutex_;
  Use all_;
  std::unordered_map<std::string, Use> of_address_;
  std::list<Permit*> idle_;  ///< front: has waited longest

  /// At most one line in ten seconds.
  struct Line : LineLimit {
    Line() : LineLimit(1, std::chrono::seconds(10)) {}
  };
  std::array<Line, connection_refusals> refusals_;
  Line closed_idle_;
};

Connections::Limits connection_limits(const config::Server& settings);

}  // namespace verbatim::net
