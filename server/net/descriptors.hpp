// The process's file descriptors, allotted in advance: one for a connection, two more for a
// conversation (provider connection and spill file). The rest stays free for the journal, store
// readers, webhooks and name lookups, so that too many clients cannot make these fail.
//
// Any thread; no lock. Must outlive its leases.
#pragma once

#include <atomic>
#include <cstddef>
#include <optional>
#include <utility>

namespace verbatim::net {

class Descriptors {
 public:
  static constexpr std::size_t of_a_conversation = 2;

  /// No limit until begin().
  Descriptors() = default;
  /// For tests: a process that may have `limit` descriptors and keeps `in_use` of them open.
  Descriptors(std::size_t limit, std::size_t in_use) { share_out(limit, in_use); }

  /// Reads the process's limit and counts the open descriptors. Call it once everything that stays
  /// open has been opened.
  void begin();

  /// Descriptors that are returned when it is destroyed.
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
  /// Takes `count` descriptors. Empty if too few would be left.
  std::optional<Lease> take(std::size_t count) { return take_from(taken_, capacity_, count); }
  /// Takes one of the few that are reserved for a 503 answer when no others are left.
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

}  // namespace verbatim::net
