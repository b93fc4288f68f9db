// The process's file descriptors, shared out ahead: a connection costs one, a conversation two more
// (its connection to the provider, and a spill file). What is left over stays free for the journal,
// a reader, a webhook or a name's lookup: none of these may fail because of one client too many.
//
// Any thread; no lock.
#pragma once

#include <atomic>
#include <cstddef>
#include <optional>
#include <utility>

namespace verbatim::server {

class Descriptors {
 public:
  static constexpr std::size_t of_a_conversation = 2;

  /// Without a limit until begin().
  Descriptors() = default;
  /// For a process that may have `limit` and has `in_use` that stay.
  Descriptors(std::size_t limit, std::size_t in_use) { share_out(limit, in_use); }

  /// Once everything that stays open has been opened: reads the process's limit, and counts.
  void begin();

  /// Given back when it goes.
  class Lease {
   public:
    Lease(Lease&& other) noexcept : of_(std::exchange(other.of_, nullptr)), count_(other.count_) {}
    Lease(const Lease&) = delete;
    Lease& operator=(const Lease&) = delete;
    Lease& operator=(Lease&& other) noexcept {
      std::swap(of_, other.of_);
      std::swap(count_, other.count_);
      return *this;
    }
    ~Lease() {
      if (of_) of_->fetch_sub(count_, std::memory_order_relaxed);
    }

   private:
    friend class Descriptors;
    Lease(std::atomic<std::size_t>* of, std::size_t count) : of_(of), count_(count) {}
    std::atomic<std::size_t>* of_;
    std::size_t count_;
  };
  /// Nothing if there would not be enough left.
  std::optional<Lease> take(std::size_t count) { return take_from(taken_, capacity_, count); }
  /// One of the few that are set aside to tell peers that there are none.
  std::optional<Lease> take_to_refuse() { return take_from(refusing_, refusing_max, 1); }

  std::size_t limit() const { return limit_; }
  std::size_t capacity() const { return capacity_; }

 private:
  static constexpr std::size_t refusing_max = 4;
  static std::optional<Lease> take_from(std::atomic<std::size_t>& taken, std::size_t capacity,
                                        std::size_t count);
  void share_out(std::size_t limit, std::size_t in_use);

  std::size_t limit_ = static_cast<std::size_t>(-1);
  std::size_t capacity_ = static_cast<std::size_t>(-1);
  std::atomic<std::size_t> taken_{0};
  std::atomic<std::size_t> refusing_{0};
};

}  // namespace verbatim::server
