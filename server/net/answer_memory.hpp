// Bounds the memory of the answers to all HTTP requests together (server.answers_bytes_max). An
// answer counts from its creation until the peer has received it. An answer that finds no room is
// refused. None waits: a peer that reads nothing holds its answer until server.request_timeout.
//
// Answers of up to `free_bytes` are not counted. server.connections_max bounds them, so a short
// answer is always given. Of the rest, client tokens get half, so that clients cannot block back
// ends; one owner gets an eighth.
//
// No setting bounds the size of a transcript. So the only answer of an owner may exceed the owner's
// part. The only answer of all clients may exceed their part and the whole; the only answer of all
// back ends may exceed the whole. Every answer can be given, and at most two answers exceed the
// limit.
//
// Any thread: a mutex, taken a few times for a large answer. Must outlive its shares.
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

class AnswerMemory {
 public:
  static constexpr std::size_t free_bytes = 64 * 1024;

  explicit AnswerMemory(std::size_t bytes_max);
  /// Changes the limit. Memory that is held stays.
  void set_limit(std::size_t bytes_max);

  /// The holder of an answer: a client token's user, or a session that a back end asks about.
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

    /// The answer has `bytes` bytes now, more or fewer than before. Returns false if there is no
    /// room; nothing has changed then.
    bool resize(std::size_t bytes);

   private:
    friend class AnswerMemory;
    AnswerMemory& all_;
    const Owner owner_;
    std::size_t held_ = 0;
  };

  struct Counts {
    std::size_t held = 0;       ///< bytes
    std::uint64_t refused = 0;  ///< answers refused since the start
  };
  Counts counts() const;
  /// Whether a log line about refused answers may be written now.
  bool worth_a_line(std::chrono::steady_clock::time_point now) { return line_.take(now).write; }

 private:
  /// Parameter of a function that needs the mutex: the caller shows that it holds it.
  using Lock = std::lock_guard<std::mutex>;
  bool fits(const Share& share, std::size_t bytes, const Lock&) const;
  void hold(Share& share, std::size_t bytes, const Lock&);
  void give_back(Share& share);

  mutable std::mutex mutex_;
  std::size_t bytes_max_ = 0;
  std::size_t clients_bytes_max_ = 0;
  std::size_t owner_bytes_max_ = 0;
  std::size_t held_ = 0;
  std::size_t held_by_clients_ = 0;
  std::unordered_map<std::string, std::size_t> held_by_owner_;
  std::uint64_t refused_ = 0;
  LineLimit line_{1, refusal_lines_interval};
};

}  // namespace verbatim::net
