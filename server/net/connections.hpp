// Which connections a listener has: how many in all, how many of one address, and which of them
// only wait for a request. Where a limit is reached, the one that has waited longest goes first, as
// nginx's do; only if none waits, the newcomer is refused.
//
// A connection waits from the moment at which it is taken, not from the moment at which its thread
// comes to it: in a flood the threads are behind, and those that they have not come to yet would
// count as busy. Its thread has the last word: what has sent something meanwhile stays, and another
// goes in its place.
//
// Any thread. One mutex, taken when a connection comes, goes, begins to wait for a request or gets
// one: never on a message's path.
#pragma once

#include <array>
#include <cstddef>
#include <cstdint>
#include <list>
#include <memory>
#include <mutex>
#include <optional>
#include <string>
#include <unordered_map>
#include <variant>

#include "base/log.hpp"
#include "config/settings.hpp"
#include "server/net/async.hpp"
#include "server/net/connection_counts.hpp"
#include "server/net/proxies.hpp"

namespace verbatim::server {

class Connections : public std::enable_shared_from_this<Connections> {
 public:
  struct Limits {
    std::size_t all = 4096;
    std::size_t of_one_address = 1024;
  };
  /// The log must outlive all places. Addresses of `proxies` and of loopback have no limit of their
  /// own.
  Connections(Limits limits, std::shared_ptr<const TrustedProxies> proxies, Log& log)
      : limits_(limits), proxies_(std::move(proxies)), log_(log) {}

  /// A connection's place, given back when it goes.
  class Permit : public std::enable_shared_from_this<Permit> {
   public:
    Permit(std::shared_ptr<Connections> of, Executor executor)
        : of_(std::move(of)), executor_(std::move(executor)) {}
    ~Permit() { of_->leave(*this); }
    Permit(const Permit&) = delete;
    Permit& operator=(const Permit&) = delete;

    // --- the connection's thread --------------------------------------------------------------
    /// It waits for a request from now on: the socket may be closed for another connection.
    void idle(Socket& socket);
    /// It has one.
    void busy();
    /// A proxy has said whose connection it is. False, and counted: that address has too many.
    bool belongs_to(const std::string& address);
    /// TLS came to nothing, or took too long: counted and logged.
    void handshake_failed(const std::string& address, const error_code& why);

   private:
    friend class Connections;
    /// The connection's thread: it has been chosen to go.
    void go();
    bool stays() const;

    const std::shared_ptr<Connections> of_;
    const Executor executor_;
    Socket* socket_ = nullptr;  ///< while it waits
    bool begun_ = false;        ///< its thread has come to it
    bool gone_ = false;         ///< its socket was closed for another connection

    // Under the mutex.
    std::string customer_;  ///< empty: of one that has no limit of its own
    bool counted_ = false;
    bool waits_ = false;    ///< it may be chosen to go
    bool leaving_ = false;  ///< chosen to go
    std::list<Permit*>::iterator in_idle_;
  };
  using PermitPtr = std::shared_ptr<Permit>;

  /// A place for a connection of this address, which runs on that executor; or why there is none,
  /// counted and logged.
  std::variant<PermitPtr, ConnectionRefusal> take(const std::string& address, Executor executor);

  /// Counts and logs, a line for each kind in ten seconds at most.
  void refused(ConnectionRefusal why, const std::string& address = {});
  /// Where it is counted, beside the log. Before the first connection; must outlive all places.
  void count_in(ConnectionCounts& counts) { counts_ = &counts; }

  std::size_t open() const;

 private:
  struct Customer {
    std::size_t open = 0;
    std::size_t leaving = 0;
    std::size_t staying() const { return open - leaving; }
  };
  struct Line {
    std::uint64_t since = 0;  ///< what has happened since the last line
    Clock::time_point next{};
  };

  std::string customer(const std::string& address) const;
  /// Precondition for these: the mutex is held.
  Permit* longest_idle(const std::string& customer) const;
  bool make_room(const std::string& customer);
  bool make_room_for_all();
  void choose_to_go(Permit& place);
  void choose_instead_of(Permit& place);
  void add_to_idle(Permit& place);
  void count(Permit& place, const std::string& customer);
  void uncount(Permit& place);
  void take_out_of_idle(Permit& place);

  void leave(Permit& place);
  bool worth_a_line(Line& line, std::uint64_t& count);
  void closed_idle();

  const Limits limits_;
  const std::shared_ptr<const TrustedProxies> proxies_;
  Log& log_;
  ConnectionCounts* counts_ = nullptr;

  mutable std::mutex mutex_;
  Customer all_;
  std::unordered_map<std::string, Customer> customers_;
  std::list<Permit*> idle_;  ///< the longest first

  std::mutex lines_mutex_;
  std::array<Line, connection_refusals> refusals_;
  Line closed_idle_;
};

Connections::Limits connection_limits(const config::Server& settings);

}  // namespace verbatim::server
