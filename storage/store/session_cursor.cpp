#include "storage/store/session_cursor.hpp"

#include <charconv>

#include "base/base64.hpp"

namespace verbatim::store {

namespace {

std::optional<std::int64_t> whole_number(std::string_view text) {
  std::int64_t value = 0;
  const auto [end, error] = std::from_chars(text.data(), text.data() + text.size(), value);
  if (text.empty() || error != std::errc() || end != text.data() + text.size() || value < 0)
    return std::nullopt;
  return value;
}

bool is_by_end(SessionSort sort) {
  return sort == SessionSort::ended_first || sort == SessionSort::ended_last;
}

bool is_by_user(SessionSort sort) {
  return sort == SessionSort::user_a_to_z || sort == SessionSort::user_z_to_a;
}

}  // namespace

std::string to_string(SessionSort sort, const SessionCursor& cursor) {
  std::string text = std::to_string(cursor.id);
  if (is_by_end(sort)) text += "." + (cursor.time ? std::to_string(*cursor.time) : "-");
  if (is_by_user(sort)) text += "." + base64url(cursor.text);
  return text;
}

std::optional<SessionCursor> parse_session_cursor(SessionSort sort, std::string_view text) {
  const std::size_t dot = text.find('.');
  const bool has_value = is_by_end(sort) || is_by_user(sort);
  if (has_value != (dot != std::string_view::npos)) return std::nullopt;
  const auto id = whole_number(text.substr(0, dot));
  if (!id) return std::nullopt;
  SessionCursor cursor;
  cursor.id = *id;
  if (!has_value) return cursor;
  const std::string_view value = text.substr(dot + 1);
  if (is_by_user(sort)) {
    auto user = from_base64url(value);
    if (!user) return std::nullopt;
    cursor.text = std::move(*user);
  } else if (value != "-") {
    cursor.time = whole_number(value);
    if (!cursor.time) return std::nullopt;
  }
  return cursor;
}

}  // namespace verbatim::store
