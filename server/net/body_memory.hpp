// Bounds the memory of the bodies of all HTTP requests together (server.bodies_bytes_max). A body
// asks for memory as it arrives; if there is none, the request is refused. No request waits: a peer
// that stops in the middle of its body holds its memory until server.request_timeout.
//
// The first `free_bytes` of a body are not counted. server.connections_max bounds them, so a short
// request is always served. Of the rest, all client tokens together get half, and one user's tokens
// an eighth, but at least one whole body. So clients cannot block back ends.
//
// Any thread: a mutex, taken when a body outgrows its buffer. Must outlive its shares.
#pragma once

#include <chrono>
#include <cstddef>
#include <cstdint>
#include <mutex>
#include <string>
#include <unordered_map>
#include <utility>

#include "base/line_limit.hpp"
#include "server/net/memory_parts.hpp"

namespace verbatim::net {

class BodyMemory {
 public:
  static constexpr std::size_t free_bytes = 16 * 1024;

  /// `bytes_max`: limit for all bodies in bytes, raised to at least four times `largest`.
  /// `largest`: limit for one body in bytes.
  BodyMemory(std::size_t bytes_max, std::size_t largest);
  /// Changes the limits. Memory that is held stays.
  void set_limits(std::size_t bytes_max, std::size_t largest);

  class Share {
   public:
    /// `user`: user of the client token that sends the body; empty for a back end.
    Share(BodyMemory& all, std::string user) : all_(all), user_(std::move(user)) {}
    ~Share() { all_.give_back(*this); }
    Share(const Share&) = delete;
    Share& operator=(const Share&) = delete;

    /// The body is going to take `bytes` bytes in all. Returns false if there is no room; nothing
    /// has changed then.
    bool grow(std::size_t bytes);

   private:
    friend class BodyMemory;
    BodyMemory& all_;
    const std::string user_;
    std::size_t held_ = 0;
  };

  struct Counts {
    std::size_t held = 0;       ///< bytes, without the uncounted first part
    std::uint64_t refused = 0;  ///< bodies refused since the start
  };
  Counts counts() const;
  /// Whether a log line about refused bodies may be written now.
  bool worth_a_line(std::chrono::steady_clock::time_point now) { return line_.take(now).write; }

 private:
  bool take(Share& share, std::size_t bytes);
  void give_back(Share& share);

  mutable std::mutex mutex_;
  std::size_t bytes_max_ = 0;
  std::size_t clients_bytes_max_ = 0;
  std::size_t user_bytes_max_ = 0;
  std::size_t held_ = 0;
  std::size_t held_by_clients_ = 0;
  std::unordered_map<std::string, std::size_t> held_by_user_;
  std::uint64_t refused_ = 0;
  LineLimit line_{1, refusal_lines_interval};
};

}  // namespace verbatim::net
