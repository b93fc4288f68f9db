// Rows that relays have shipped, read back into the structs of storage/store.
//
// A reader takes the columns of its list, in that order, from where `Columns` stands.
#pragma once

#include <cstdint>
#include <optional>
#include <string>
#include <string_view>

#include "server/fleet/database/connection.hpp"
#include "storage/store/shipping_store.hpp"

namespace verbatim::database {

/// The columns of a row, one after the other.
class Columns {
 public:
  Columns(const Rows& rows, int row) : rows_(rows), row_(row) {}
  std::int64_t integer() { return rows_.integer(row_, next_++); }
  int number() { return static_cast<int>(integer()); }
  bool flag() { return rows_.flag(row_, next_++); }
  std::string text() { return rows_.text(row_, next_++); }
  std::string bytes() { return rows_.bytes(row_, next_++); }
  std::optional<std::int64_t> maybe_integer() { return maybe(&Columns::integer); }
  std::optional<int> maybe_number() { return maybe(&Columns::number); }
  std::optional<bool> maybe_flag() { return maybe(&Columns::flag); }
  std::optional<std::string> maybe_text() { return maybe(&Columns::text); }
  std::optional<std::string> maybe_bytes() { return maybe(&Columns::bytes); }

 private:
  template <class T>
  std::optional<T> maybe(T (Columns::*read)()) {
    if (!rows_.is_null(row_, next_)) return (this->*read)();
    ++next_;
    return std::nullopt;
  }

  const Rows& rows_;
  const int row_;
  int next_ = 0;
};

inline constexpr std::string_view session_columns =
    "user_name, metadata, private, created_at, idempotency, request, array_to_string(tokens, ',')";
inline constexpr std::string_view attempt_columns =
    "number, status, started_at, ended_at, close_reason, model, complete, gaps, usage, "
    "suspended_at, settings, copies, copy_turns, copy_bytes, merged_turns, merged_complete";
inline constexpr std::string_view turn_columns =
    "item_id, ordinal, role, status, text, heard_ms, heard_text, reason, deleted, response_id, "
    "started_at, ended_at, audio_ms";
inline constexpr std::string_view tool_call_columns =
    "number, after, item_id, call_id, kind, status, name, server, arguments, output, error, "
    "approval, deleted, response_id, started_at, ended_at";
inline constexpr std::string_view copy_columns = "writer, posted_at, body";
inline constexpr std::string_view token_columns =
    "id, user_name, session, session_open, session_config, terms, private, created_at, "
    "expires_at, revoked_at, made_by";

// Turns whose place is not known come first, as in a node's own store; they have minus the place
// that they will probably get (storage/rows/row_writer.hpp). Events are in the order of the
// attempt's nodes, whose clocks may disagree.
inline constexpr std::string_view order_of_turns = "greatest(ordinal, 0), ordinal DESC";
inline constexpr std::string_view order_of_events =
    "coalesce(array_position(attempt.path, event.incarnation), 0), event.seq";
inline constexpr std::string_view order_of_copies = "posted_at, writer, digest";

/// The pieces, one after the other.
template <class... Pieces>
std::string sql(const Pieces&... pieces) {
  std::string text;
  (text.append(pieces), ...);
  return text;
}

store::ShippedSession read_session(Columns& from, const std::string& id);
store::ShippedAttempt read_attempt(Columns& from, const std::string& session_id);
store::ShippedTurn read_turn(Columns& from);
store::ShippedToolCall read_tool_call(Columns& from);
store::ShippedCopy read_copy(Columns& from, const store::AttemptName& attempt);
store::ShippedToken read_token(Columns& from);

}  // namespace verbatim::database
