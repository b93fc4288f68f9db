// The members and elements of one JSON value as a flat list, made in one pass. Use it to examine a
// whole message; a json::View would scan each level again. 24 bytes a value; no text is copied.
//
// It also rejects JSON that two parsers could read differently: an object with the same name twice,
// and half of a surrogate pair. Names are compared without regard to case, since some parsers read
// Instructions as instructions.
//
// Any thread. Untrusted input: never throws unless memory runs out, never reads outside the bytes,
// never recurses. Time grows with the bytes and stops at the limits. The bytes must outlive the
// outline.
#pragma once

#include <cstddef>
#include <cstdint>
#include <string>
#include <string_view>
#include <vector>

#include "base/json/outline_limits.hpp"
#include "base/json/view.hpp"

namespace verbatim::json {

class Outline {
 public:
  using Limits = OutlineLimits;
  enum class Fault : std::uint8_t {
    none,
    not_json,
    too_many,
    too_deep,
    name_twice,
    half_character
  };

  /// For bytes that json::check() rejects, either fault() is `not_json`, or the outline holds the
  /// part that could be read.
  explicit Outline(std::string_view bytes, Limits limits = {});

  /// If it is not `none`, the outline has no values.
  Fault fault() const { return fault_; }

  /// Values are numbered in the order of the text; 0 is the whole value. The parts of a value have
  /// the numbers from `first(value)` up to, not including, `end(value)`:
  ///   for (auto i = outline.first(object); i < outline.end(object); i = outline.end(i)) ...
  using Index = std::uint32_t;
  static Index first(Index value) { return value + 1; }
  Index end(Index value) const { return values_[value].end; }
  bool empty(Index value) const { return first(value) == end(value); }

  Kind kind(Index value) const { return values_[value].kind; }
  bool is(Index value, Kind wanted) const { return kind(value) == wanted; }
  std::string_view raw(Index value) const {
    return bytes_.substr(values_[value].at, values_[value].length);
  }
  /// True for a member, also one with an empty name; false for an element.
  bool has_name(Index value) const { return values_[value].name_at != 0; }
  /// A member's name, decoded; empty for an element.
  std::string name(Index member) const;
  /// A string's text, decoded; empty for other kinds.
  std::string text(Index value) const { return View::of(raw(value)).string_or_empty(); }

 private:
  struct Value {
    std::uint32_t name_at = 0;  ///< after the opening quote
    std::uint32_t name_length = 0;
    std::uint32_t at = 0;
    std::uint32_t length = 0;
    Index end = 0;
    Kind kind = Kind::absent;
  };

  void read();
  bool begin_value();
  bool begin_part(Index of);
  bool close_ended();
  bool read_name();
  bool read_string(std::string_view& between);
  bool close(Index value);
  bool names_differ(Index object);
  bool fail(Fault fault);
  void skip_space();
  char closing_bracket(Index container) const {
    return values_[container].kind == Kind::object ? '}' : ']';
  }
  char peek() const { return at_ < bytes_.size() ? bytes_[at_] : '\0'; }

  std::string_view bytes_;
  const Limits limits_;
  std::size_t at_ = 0;
  Value next_;  ///< its name has been read
  std::vector<Value> values_;
  std::vector<Index> open_;
  std::vector<std::uint64_t> prints_;  ///< hashes of an object's names
  Fault fault_ = Fault::none;
};

}  // namespace verbatim::json
