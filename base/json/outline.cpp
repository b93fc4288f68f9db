#include "base/json/outline.hpp"

#include <algorithm>
#include <functional>
#include <limits>

#include "base/json/scan.hpp"

namespace verbatim::json {
namespace {

/// Whether a surrogate is written without its other half. `text`: between the quotes of a string.
bool has_half_character(std::string_view text) {
  for (std::size_t at = text.find('\\'); at != text.npos; at = text.find('\\', at)) {
    const auto code = text[at + 1] == 'u' ? hex4(text.substr(at + 2)) : std::nullopt;
    at += code ? 6 : 2;
    if (!code) continue;
    if (is_low_half(*code)) return true;
    if (!is_high_half(*code)) continue;
    const auto low = text.substr(at, 2) == "\\u" ? hex4(text.substr(at + 2)) : std::nullopt;
    if (!low || !is_low_half(*low)) return true;
    at += 6;
  }
  return false;
}

std::string decoded(std::string_view between_quotes) {
  if (between_quotes.find('\\') == between_quotes.npos) return std::string(between_quotes);
  return View::of('"' + std::string(between_quotes) + '"').string_or_empty();
}

void make_small(std::string& text) {
  for (char& c : text)
    if (c >= 'A' && c <= 'Z') c = static_cast<char>(c + ('a' - 'A'));
}

}  // namespace

Outline::Outline(std::string_view bytes, Limits limits) : bytes_(bytes), limits_(limits) {
  if (bytes.size() > std::numeric_limits<std::uint32_t>::max()) {
    fail(Fault::too_many);
  } else {
    read();
  }
  if (fault_ != Fault::none) values_.clear();
}

std::string Outline::name(Index member) const {
  return decoded(bytes_.substr(values_[member].name_at, values_[member].name_length));
}

bool Outline::fail(Fault fault) {
  fault_ = fault;
  return false;
}

void Outline::skip_space() {
  while (at_ < bytes_.size() && is_space(bytes_[at_])) ++at_;
}

/// Reads value by value. `open_` holds the objects and arrays that are open at the current place.
void Outline::read() {
  skip_space();
  do {
    if (!begin_value()) return;
    const Index begun = static_cast<Index>(values_.size() - 1);
    const Kind kind = values_[begun].kind;
    if (kind == Kind::object || kind == Kind::array) {
      open_.push_back(begun);
      skip_space();
      if (peek() != closing_bracket(begun)) {
        if (!begin_part(begun)) return;
        continue;
      }
    }
    if (!close_ended()) return;
  } while (!open_.empty());
  skip_space();
  if (at_ != bytes_.size()) fail(Fault::not_json);
}

/// Reads what precedes the value of a part: a member's name. An element has none.
bool Outline::begin_part(Index of) { return values_[of].kind != Kind::object || read_name(); }

/// Closes the objects and arrays that end at the current place, up to one that has another part.
bool Outline::close_ended() {
  while (!open_.empty()) {
    const Index last = open_.back();
    skip_space();
    if (peek() == ',') {
      ++at_;
      skip_space();
      return begin_part(last);
    }
    if (peek() != closing_bracket(last)) return fail(Fault::not_json);
    ++at_;
    if (!close(last)) return false;
    open_.pop_back();
  }
  return true;
}

/// Reads a whole value without parts, or the opening bracket of an object or array.
bool Outline::begin_value() {
  if (values_.size() == limits_.values_max) return fail(Fault::too_many);
  Value value = next_;
  next_ = {};
  value.at = static_cast<std::uint32_t>(at_);
  value.end = static_cast<Index>(values_.size() + 1);
  const char c = peek();
  if (c == '{' || c == '[') {
    if (open_.size() >= std::min(limits_.depth_max, max_depth)) return fail(Fault::too_deep);
    value.kind = c == '{' ? Kind::object : Kind::array;
    ++at_;
  } else if (c == '"') {
    value.kind = Kind::string;
    std::string_view between;
    if (!read_string(between)) return false;
  } else {
    while (at_ < bytes_.size() && is_word_character(bytes_[at_])) ++at_;
    value.kind = View::of(bytes_.substr(value.at, at_ - value.at)).kind();
    if (value.kind == Kind::absent) return fail(Fault::not_json);
  }
  value.length = static_cast<std::uint32_t>(at_ - value.at);
  values_.push_back(value);
  return true;
}

bool Outline::read_string(std::string_view& between) {
  const std::size_t length = string_length(bytes_.substr(at_));
  if (length == bytes_.npos) return fail(Fault::not_json);
  between = bytes_.substr(at_ + 1, length - 2);
  at_ += length;
  return !has_half_character(between) || fail(Fault::half_character);
}

bool Outline::read_name() {
  if (peek() != '"') return fail(Fault::not_json);
  std::string_view between;
  if (!read_string(between)) return false;
  next_.name_at = static_cast<std::uint32_t>(between.data() - bytes_.data());
  next_.name_length = static_cast<std::uint32_t>(between.size());
  skip_space();
  if (peek() != ':') return fail(Fault::not_json);
  ++at_;
  skip_space();
  return true;
}

bool Outline::close(Index value) {
  values_[value].length = static_cast<std::uint32_t>(at_ - values_[value].at);
  values_[value].end = static_cast<Index>(values_.size());
  return values_[value].kind != Kind::object || names_differ(value) || fail(Fault::name_twice);
}

/// Compares 64-bit hashes of the names: two names with the same hash count as equal. That does not
/// happen to a sender by accident.
bool Outline::names_differ(Index object) {
  prints_.clear();
  std::string small;
  for (Index i = first(object); i < end(object); i = end(i)) {
    small = name(i);
    make_small(small);
    prints_.push_back(std::hash<std::string_view>{}(small));
  }
  std::sort(prints_.begin(), prints_.end());
  return std::adjacent_find(prints_.begin(), prints_.end()) == prints_.end();
}

}  // namespace verbatim::json
