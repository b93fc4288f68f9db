// For the threads of Uploads: a call of the store, and its result.
#pragma once

#include <memory>
#include <mutex>
#include <optional>
#include <utility>

#include "server/bucket/uploads.hpp"

namespace verbatim::bucket {

/// Names this part in reads of the store.
inline constexpr const char* reader = "the bucket";

/// Begins a call and waits for its result. nullopt: the process stops.
template <class T, class Begin>
std::optional<T> Uploads::wait_for(Begin begin) {
  const auto result = std::make_shared<std::optional<T>>();
  begin([result, answers = answers_](T value) {
    {
      const std::lock_guard lock(answers->mutex);
      result->emplace(std::move(value));
    }
    answers->changed.notify_all();
  });
  std::unique_lock lock(answers_->mutex);
  answers_->changed.wait(lock, [&] { return result->has_value() || answers_->stopping; });
  return std::move(*result);
}

/// The same as a failure: of the store, or because the process stops.
template <class T>
std::optional<Failure> failure_in(const std::optional<store::StoreResult<T>>& result) {
  if (!result) return Failure{.why = "the relay stops", .stopped = true};
  if (*result) return std::nullopt;
  return Failure{.why = result->error().what(), .of_object = true};
}

}  // namespace verbatim::bucket
