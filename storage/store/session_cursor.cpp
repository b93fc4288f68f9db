#include "storage/store/session_cursor.hpp"

#include "base/base64.hpp"
#include "storage/store/session_order.hpp"
#include "storage/store/whole_number.hpp"

namespace verbatim::store {

namespace {

constexpr char made_at_end = '~';

}  // namespace

std::string to_string(SessionSort sort, const SessionCursor& cursor) {
  std::string text = std::to_string(cursor.id);
  if (cursor.made_at) text.insert(0, std::to_string(*cursor.made_at) + made_at_end);
  const SessionOrder::Key key = order_of(sort).key;
  if (key == SessionOrder::Key::ended)
    text += "." + (cursor.time ? std::to_string(*cursor.time) : "-");
  if (key == SessionOrder::Key::user) text += "." + base64url(cursor.text);
  return text;
}

std::optional<SessionCursor> parse_session_cursor(SessionSort sort, std::string_view text) {
  SessionCursor cursor;
  if (const std::size_t end = text.find(made_at_end); end != std::string_view::npos) {
    cursor.made_at = whole_number(text.substr(0, end));
    if (!cursor.made_at) return std::nullopt;
    text.remove_prefix(end + 1);
  }
  const std::size_t dot = text.find('.');
  const SessionOrder::Key key = order_of(sort).key;
  const bool has_value = key != SessionOrder::Key::created;
  if (has_value != (dot != std::string_view::npos)) return std::nullopt;
  const auto id = whole_number(text.substr(0, dot));
  if (!id) return std::nullopt;
  cursor.id = *id;
  if (!has_value) return cursor;
  const std::string_view value = text.substr(dot + 1);
  if (key == SessionOrder::Key::user) {
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
