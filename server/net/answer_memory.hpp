// How much memory the answers to HTTP requests take, in all connections together
// (server.answers_bytes_max), from the moment they are made until the peer has taken them. An
// answer that finds no room is refused, and nothing waits: a peer that reads nothing holds its
// answer until server.request_timeout, and no other answer may be made to wait for that.
//
// Answers of up to `free_bytes` are not counted: server.connections_max bounds them, and a short
// answer is given whatever the others hold. Of the rest, client tokens get half, so that back ends
// are answered whatever clients do, and one owner an eighth.
//
// How large a transcript is, no setting bounds. So whoever holds nothing may have one answer beyond
// an owner's part, clients that hold nothing one beyond theirs, and back ends that hold nothing one
// beyond the whole: every answer can be given, and the bound is exceeded by two answers at most.
//
// Any thread: a lock, taken a few times for a large answer. Outlives its shares.
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

class AnswerMemory {
 public:
  static constexpr std::size_t free_bytes = 64 * 1024;

  explicit AnswerMemory(std::size_t bytes_max);

  /// Who asks for answers: a client token's user, or, through a back end, a session.
  struct Owner {
    std::string name;
    bool is_client = false;
  };

  class Share {
   public:
    Share(AnswerMemory& all, Owner owner) : all_(all), owner_(std::move(owner)) {}
    ~Share() { all_.give_back(*this); }
    Share(const Share&) = delete;
    Share& operator=(const Share&) = delete;

    /// The answer has so many bytes, more or fewer than before. False: there is no room for them,
    /// and nothing has changed.
    bool resize(std::size_t bytes);

   private:
    friend class AnswerMemory;
    AnswerMemory& all_;
    const Owner owner_;
    std::size_t held_ = 0;
  };

  struct Counts {
    std::size_t held = 0;       ///< bytes
    std::uint64_t refused = 0;  ///< answers, since the start
  };
  Counts counts() const;
  /// Whether it is time for another line in the log that says that answers are refused.
  bool worth_a_line(std::chrono::steady_clock::time_point now) { return line_.due(now); }

 private:
  bool fits(const Share& share, std::size_t bytes) const;
  void hold(Share& share, std::size_t bytes);
  void give_back(Share& share);

  const std::size_t bytes_max_;
  const std::size_t clients_bytes_max_;
  const std::size_t owner_bytes_max_;
  mutable std::mutex mutex_;
  std::size_t held_ = 0;
  std::size_t held_by_clients_ = 0;
  std::unordered_map<std::string, std::size_t> held_by_owner_;
  std::uint64_t refused_ = 0;
  RefusalLine line_;
};

}  // namespace verbatim::server
