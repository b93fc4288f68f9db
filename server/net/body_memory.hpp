// How much memory the bodies of HTTP requests take, in all connections together
// (server.bodies_bytes_max). A body asks for its share as it comes; one that gets none is refused,
// and nothing waits: a peer that stops in the middle of its body holds what it has sent until
// server.request_timeout, and no other body may be made to wait for that.
//
// The first `free_bytes` of a body are not asked for: server.connections_max bounds them, and a
// short request is served whatever the others hold. Of the rest, client tokens get half, so that
// back ends are served whatever clients do, and one user's tokens an eighth, but at least one whole
// body.
//
// Any thread: a lock, taken when a body has outgrown its buffer. Outlives its shares.
#pragma once

#include <chrono>
#include <cstddef>
#include <cstdint>
#include <mutex>
#include <string>
#include <unordered_map>
#include <utility>

#include "server/net/memory_parts.hpp"

namespace verbatim::server {

class BodyMemory {
 public:
  static constexpr std::size_t free_bytes = 16 * 1024;

  /// `bytes_max`: of all bodies, raised to four of the largest. `largest`: of one body.
  BodyMemory(std::size_t bytes_max, std::size_t largest);

  class Share {
   public:
    /// `user`: of the client token that sends the body; empty: a back end sends it.
    Share(BodyMemory& all, std::string user) : all_(all), user_(std::move(user)) {}
    ~Share() { all_.give_back(*this); }
    Share(const Share&) = delete;
    Share& operator=(const Share&) = delete;

    /// The body will take this many bytes. False: there is no room for them, and nothing has
    /// changed.
    bool grow(std::size_t bytes);

   private:
    friend class BodyMemory;
    BodyMemory& all_;
    const std::string user_;
    std::size_t held_ = 0;
  };

  struct Counts {
    std::size_t held = 0;       ///< bytes, beyond what is free
    std::uint64_t refused = 0;  ///< bodies, since the start
  };
  Counts counts() const;
  /// Whether it is time for another line in the log that says that bodies are refused.
  bool worth_a_line(std::chrono::steady_clock::time_point now) { return line_.due(now); }

 private:
  bool take(Share& share, std::size_t bytes);
  void give_back(Share& share);

  const std::size_t bytes_max_;
  const std::size_t clients_bytes_max_;
  const std::size_t user_bytes_max_;
  mutable std::mutex mutex_;
  std::size_t held_ = 0;
  std::size_t held_by_clients_ = 0;
  std::unordered_map<std::string, std::size_t> held_by_user_;
  std::uint64_t refused_ = 0;
  RefusalLine line_;
};

}  // namespace verbatim::server
