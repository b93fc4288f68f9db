// The place after a page of a list of sessions: the value that the list is sorted by, and the row.
// The next page begins behind it, so pages neither repeat nor skip a session that stays as it is.
//
// Pure; any thread. Cursors come from clients: any text is accepted, and may be refused.
#pragma once

#include <cstdint>
#include <optional>
#include <string>
#include <string_view>

#include "storage/store/session_store.hpp"

namespace verbatim::store {

struct SessionCursor {
  std::int64_t id = 0;
  std::optional<TimeMs> time;  ///< of a list by the end; none: the session had not ended
  std::string text;            ///< of a list by the user
  /// Of a list of a fleet: the session's time of creation. Its `id` is then the database's number.
  std::optional<TimeMs> made_at = std::nullopt;
};

std::string to_string(SessionSort sort, const SessionCursor& cursor);
/// nullopt: it does not belong to a list in this order.
std::optional<SessionCursor> parse_session_cursor(SessionSort sort, std::string_view text);

}  // namespace verbatim::store
