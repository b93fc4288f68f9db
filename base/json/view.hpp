// A read-only look at JSON where it lies: no tree, no copies until a string is asked for.
//
// Two readers in one file, for two purposes. check() is strict and complete: what a client sends
// must pass it. View is lazy: it finds a member by skipping over its neighbours, so that a message
// whose interesting part is its name does not pay for its payload; of malformed input it shows
// what it can, or nothing.
//
// Our own, because the usual parsers refuse a string that holds half a surrogate pair (providers
// send those), and build a tree where a scan does.
//
// Any thread. Never throws (but for memory), never reads outside the bytes it was given, never
// recurses. The bytes must outlive the views.
#pragma once

#include <array>
#include <cstddef>
#include <cstdint>
#include <limits>
#include <optional>
#include <string>
#include <string_view>

namespace verbatim::json {

inline constexpr std::size_t max_depth = 128;

/// Where and why bytes are not JSON.
struct Fault {
  std::size_t offset = 0;
  std::string_view what;
  bool too_many_values = false;  ///< it may be JSON, but has more values than asked for
};

/// nullopt if `bytes` are exactly one JSON value (RFC 8259, valid UTF-8, no byte order mark, not
/// deeper than max_depth). Escapes of lone surrogates are allowed, as the grammar has them.
/// Stops at the first value beyond `values_max` (the whole, members and elements, at all depths
/// together), since a message of braces alone costs thirty times what one of audio does.
std::optional<Fault> check(std::string_view bytes,
                           std::size_t values_max = std::numeric_limits<std::size_t>::max());

enum class Kind : std::uint8_t { absent, null, boolean, number, string, array, object };

class View {
 public:
  View() = default;  ///< absent

  /// The one value that `bytes` hold, absent if they do not hold one with balanced brackets.
  static View of(std::string_view bytes);

  Kind kind() const;
  bool is(Kind wanted) const { return kind() == wanted; }
  bool exists() const { return !raw_.empty(); }

  /// Member of an object; absent if there is none. Keys written with escapes are not found; of
  /// duplicates the first is.
  View operator[](std::string_view key) const;

  /// A string with its escapes decoded, in WTF-8; nullopt for anything else, or invalid UTF-8.
  std::optional<std::string> string() const;
  /// The same, empty where that says nullopt.
  std::string string_or_empty() const { return string().value_or(std::string()); }

  /// What stands between the quotes of a string, escapes and all. Empty for anything else.
  std::string_view between_quotes() const;
  /// The same of a string without escapes; empty for one with.
  std::string_view plain_string() const;

  /// A number, cut towards zero if it has a fraction; nullopt if it does not fit.
  std::optional<std::int64_t> integer() const;
  std::optional<bool> boolean() const;

  /// The value's bytes as they stand, white space around it left out.
  std::string_view raw() const { return raw_; }

 private:
  friend class Members;
  friend class Elements;
  explicit View(std::string_view raw) : raw_(raw) {}

  std::string_view raw_;
};

/// Goes through an object's members in order; ends early where the bytes stop making sense.
///   for (Members members(view); members.next();) use(members.key(), members.value());
class Members {
 public:
  explicit Members(View object);
  /// Of the object that `bytes` begin with, without looking for its end.
  static Members begun(std::string_view bytes);
  bool next();
  /// As written, without the quotes: escapes are not decoded.
  std::string_view key() const { return key_; }
  View value() const { return value_; }
  /// After the last: whether the object ended there, and the bytes with it.
  bool all_read() const;

 private:
  std::string_view rest_;
  std::string_view key_;
  View value_;
  bool first_ = true;
};

/// An object of which several members are wanted: goes through it once, as far as it is asked. The
/// first of duplicates is found, as by a View.
class Object {
 public:
  explicit Object(View object) : unread_(object) {}
  /// As Members::begun().
  static Object begun(std::string_view bytes) { return Object(Members::begun(bytes)); }
  View operator[](std::string_view key);

 private:
  explicit Object(const Members& members) : unread_(members) {}
  struct Member {
    std::string_view key;
    View value;
  };
  /// More than any event of the protocol has; what does not fit is gone through each time.
  static constexpr std::size_t members_kept_max = 16;
  Members unread_;
  std::array<Member, members_kept_max> read_;
  std::size_t count_ = 0;
};

/// Goes through an array's elements in order.
class Elements {
 public:
  explicit Elements(View array);
  bool next();
  View value() const { return value_; }

 private:
  std::string_view rest_;
  View value_;
  bool first_ = true;
};

}  // namespace verbatim::json
