#include "storage/store/session_order.hpp"

#include <algorithm>

namespace verbatim::store {

SessionOrder order_of(SessionSort sort) {
  using Key = SessionOrder::Key;
  switch (sort) {
    case SessionSort::created_first:
      return {Key::created, false};
    case SessionSort::ended_first:
      return {Key::ended, false};
    case SessionSort::ended_last:
      return {Key::ended, true};
    case SessionSort::user_a_to_z:
      return {Key::user, false};
    case SessionSort::user_z_to_a:
      return {Key::user, true};
    case SessionSort::created_last:
      break;
  }
  return {Key::created, true};
}

void set_total(SessionPage& page, std::int64_t counted) {
  page.total_is_exact = counted <= session_total_max;
  page.total = static_cast<std::size_t>(std::min(counted, session_total_max));
}

}  // namespace verbatim::store
