#include "base/json/view.hpp"

#include <charconv>
#include <cmath>

#include "base/json/scan.hpp"
#include "base/utf8.hpp"

namespace verbatim::json {
namespace {

constexpr auto npos = std::string_view::npos;

/// Length of the object or array at the front of `in`. Counts brackets without pairing them;
/// check() does that.
std::size_t nested_length(std::string_view in) {
  std::size_t depth = 0;
  for (std::size_t at = 0; at < in.size(); ++at) {
    switch (in[at]) {
      case '{':
      case '[':
        if (++depth > max_depth) return npos;
        break;
      case '}':
      case ']':
        if (--depth == 0) return at + 1;
        break;
      case '"': {
        const std::size_t length = string_length(in.substr(at));
        if (length == npos) return npos;
        at += length - 1;
        break;
      }
      default:
        break;
    }
  }
  return npos;
}

/// Removes one value from the front of `in` and returns it; empty if there is none.
std::string_view take_value(std::string_view& in) {
  if (in.empty()) return {};
  std::size_t length = 0;
  if (in.front() == '"') {
    length = string_length(in);
  } else if (in.front() == '{' || in.front() == '[') {
    length = nested_length(in);
  } else {
    while (length < in.size() && is_word_character(in[length])) ++length;
  }
  if (length == npos) return {};
  const auto value = in.substr(0, length);
  in.remove_prefix(length);
  return value;
}

bool take(std::string_view& in, char expected) {
  skip_space(in);
  if (in.empty() || in.front() != expected) return false;
  in.remove_prefix(1);
  return true;
}

/// Decodes the escape at the front of `in` (with its backslash) and removes it.
bool take_escape(std::string_view& in, std::string& out) {
  if (in.size() < 2) return false;
  const char kind = in[1];
  if (kind != 'u') {
    static constexpr std::string_view names = "\"\\/bfnrt";
    static constexpr std::string_view meanings = "\"\\/\b\f\n\r\t";
    const std::size_t which = names.find(kind);
    if (which == npos) return false;
    out += meanings[which];
    in.remove_prefix(2);
    return true;
  }
  const auto code = hex4(in.substr(2));
  if (!code) return false;
  in.remove_prefix(6);
  if (is_high_half(*code) && in.substr(0, 2) == "\\u") {
    const auto low = hex4(in.substr(2));
    if (low && is_low_half(*low)) {
      in.remove_prefix(6);
      utf8::append(out, 0x10000 + ((*code - 0xD800) << 10 | (*low - 0xDC00)));
      return true;
    }
  }
  utf8::append(out, *code);  // a lone half becomes its three WTF-8 bytes
  return true;
}

}  // namespace

View View::of(std::string_view bytes) {
  skip_space(bytes);
  const auto value = take_value(bytes);
  skip_space(bytes);
  return bytes.empty() ? View(value) : View();
}

Kind View::kind() const {
  if (raw_.empty()) return Kind::absent;
  switch (raw_.front()) {
    case '{':
      return Kind::object;
    case '[':
      return Kind::array;
    case '"':
      return Kind::string;
    case 'n':
      return raw_ == "null" ? Kind::null : Kind::absent;
    case 't':
      return raw_ == "true" ? Kind::boolean : Kind::absent;
    case 'f':
      return raw_ == "false" ? Kind::boolean : Kind::absent;
    default:
      return raw_.front() == '-' || (raw_.front() >= '0' && raw_.front() <= '9') ? Kind::number
                                                                                 : Kind::absent;
  }
}

View View::operator[](std::string_view key) const {
  for (Members members(*this); members.next();)
    if (members.key() == key) return members.value();
  return {};
}

std::string_view View::between_quotes() const {
  return is(Kind::string) ? raw_.substr(1, raw_.size() - 2) : std::string_view();
}

std::string_view View::plain_string() const {
  const auto text = between_quotes();
  return text.find('\\') == npos ? text : std::string_view();
}

std::optional<std::string> View::string() const {
  if (!is(Kind::string)) return std::nullopt;
  std::string_view in = between_quotes();
  std::string out;
  out.reserve(in.size());
  while (!in.empty()) {
    const auto plain = in.substr(0, in.find('\\'));
    if (!utf8::is_valid(plain)) return std::nullopt;
    out += plain;
    in.remove_prefix(plain.size());
    if (!in.empty() && !take_escape(in, out)) return std::nullopt;
  }
  return out;
}

std::optional<std::int64_t> View::integer() const {
  if (!is(Kind::number)) return std::nullopt;
  const char* const end = raw_.data() + raw_.size();
  std::int64_t whole = 0;
  if (const auto [at, error] = std::from_chars(raw_.data(), end, whole);
      error == std::errc() && at == end)
    return whole;
  double real = 0;
  const auto [at, error] = std::from_chars(raw_.data(), end, real);
  if (error != std::errc() || at != end || !(std::fabs(real) < 9e18)) return std::nullopt;
  return static_cast<std::int64_t>(real);
}

std::optional<bool> View::boolean() const {
  if (!is(Kind::boolean)) return std::nullopt;
  return raw_ == "true";
}

Members::Members(View object) {
  if (object.is(Kind::object)) rest_ = object.raw().substr(1);
}

Members Members::begun(std::string_view bytes) {
  Members members{View()};
  if (take(bytes, '{')) members.rest_ = bytes;
  return members;
}

bool Members::next() {
  const bool separated = first_ || take(rest_, ',');
  first_ = false;
  skip_space(rest_);
  if (!separated || rest_.empty() || rest_.front() != '"') return false;
  const auto quoted = take_value(rest_);
  if (quoted.empty() || !take(rest_, ':')) return false;
  key_ = quoted.substr(1, quoted.size() - 2);
  skip_space(rest_);
  value_ = View(take_value(rest_));
  return value_.exists();
}

bool Members::all_read() const {
  std::string_view rest = rest_;
  return take(rest, '}') && rest.find_first_not_of(" \t\r\n") == npos;
}

View Object::operator[](std::string_view key) {
  for (std::size_t i = 0; i < count_; ++i)
    if (read_[i].key == key) return read_[i].value;
  while (count_ < read_.size() && unread_.next()) {
    read_[count_++] = {unread_.key(), unread_.value()};
    if (unread_.key() == key) return unread_.value();
  }
  for (Members others = unread_; others.next();)
    if (others.key() == key) return others.value();
  return {};
}

Elements::Elements(View array) {
  if (array.is(Kind::array)) rest_ = array.raw().substr(1);
}

bool Elements::next() {
  const bool separated = first_ || take(rest_, ',');
  first_ = false;
  if (!separated) return false;
  skip_space(rest_);
  value_ = View(take_value(rest_));
  return value_.exists();
}

}  // namespace verbatim::json
