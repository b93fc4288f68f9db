// For the threads of Uploads: calls of the store, and what their failures mean for an object.
#pragma once

#include <optional>

#include "server/bucket/objects.hpp"
#include "storage/store/call.hpp"

namespace verbatim::bucket {

/// Names this part in reads of the store.
inline constexpr const char* reader = "the bucket";

/// The failure of a call that was waited for: of the store, or because the process stops.
template <class T>
Outcome failure_in(const std::optional<store::StoreResult<T>>& result) {
  if (!result) return Failure{.why = "the relay stops", .stopped = true};
  if (*result) return std::nullopt;
  return Failure{.why = result->error().what(), .of_object = true};
}

}  // namespace verbatim::bucket
