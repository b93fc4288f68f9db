// The order of a list of sessions, and its total, the same in every store. Pure; any thread.
#pragma once

#include <cstdint>

#include "storage/store/session_store.hpp"

namespace verbatim::store {

/// The value that a list is sorted by. The order of creation decides among equal values, so each
/// session has one position.
struct SessionOrder {
  enum class Key { created, ended, user };
  Key key = Key::created;
  bool descending = false;
};
SessionOrder order_of(SessionSort sort);

/// Above it a total is not counted to the end: a count reads every session.
inline constexpr std::int64_t session_total_max = 100'000;

/// `counted`: the number of sessions, counted up to session_total_max + 1.
void set_total(SessionPage& page, std::int64_t counted);

}  // namespace verbatim::store
