// An asynchronous call of the store, for which a thread of the fleet waits. Its errors are those of
// the database: both mean that the work is tried again.
#pragma once

#include <chrono>
#include <condition_variable>
#include <memory>
#include <mutex>
#include <optional>
#include <string>
#include <type_traits>
#include <utility>

#include "server/fleet/database/database_error.hpp"
#include "storage/store/call.hpp"

namespace verbatim::database {

inline DatabaseError of_store(const store::StorageError& error) {
  return {Trouble::other, {}, std::string("the store: ") + error.what()};
}

template <class T>
class StoreCall {
 public:
  /// `begin(done)` begins the call.
  template <class Begin>
  explicit StoreCall(Begin begin) : shared_(std::make_shared<Shared>()) {
    begin(store::Done<T>([shared = shared_](store::StoreResult<T> result) {
      const std::lock_guard lock(shared->mutex);
      shared->result.emplace(std::move(result));
      shared->arrived.notify_all();
    }));
  }

  /// An answer that comes after `patience` is dropped. Call it once.
  DatabaseResult<T> wait(std::chrono::milliseconds patience) {
    std::unique_lock lock(shared_->mutex);
    const auto there = [this] { return shared_->result.has_value(); };
    if (!shared_->arrived.wait_for(lock, patience, there))
      return database_error(Trouble::other, "the store does not answer");
    if (!*shared_->result) return tl::unexpected(of_store(shared_->result->error()));
    if constexpr (std::is_void_v<T>)
      return {};
    else
      return *std::move(*shared_->result);
  }

 private:
  struct Shared {
    std::mutex mutex;
    std::condition_variable arrived;
    std::optional<store::StoreResult<T>> result;
  };
  std::shared_ptr<Shared> shared_;
};

}  // namespace verbatim::database
