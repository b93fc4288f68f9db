// Reads JSON in place: no tree, and no copy until a string is requested. The file has two readers:
// - check() is strict and complete; every client message must pass it.
// - View is lazy: it finds a member by skipping the others, so reading a message's type does not
//   cost its payload. From malformed input it returns what it can, or nothing.
//
// The usual parsers do not fit: they refuse half a surrogate pair, which providers send, and build
// a tree where a scan is enough.
//
// Any thread. Never throws unless memory runs out, never reads outside the given bytes, never
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

/// The byte at which a text stops being JSON, and the reason.
struct Fault {
  std::size_t offset = 0;
  std::string_view what;
  bool too_many_values = false;  ///< may be JSON, but has more values than allowed
};

/// nullopt if `bytes` are exactly one JSON value: RFC 8259, valid UTF-8, no byte order mark, at
/// most max_depth levels. Escapes of lone surrogates are allowed, as in the grammar.
///
/// `values_max`: the check stops at the first value above it; the whole, members and elements of
/// all depths count. A byte of a message of only braces costs thirty times as much as a byte of
/// audio.
std::optional<Fault> check(std::string_view bytes,
                           std::size_t values_max = std::numeric_limits<std::size_t>::max());

enum class Kind : std::uint8_t { absent, null, boolean, number, string, array, object };

class View {
 public:
  View() = default;  ///< absent

  /// The one value in `bytes`; absent if they do not hold exactly one value with balanced brackets.
  static View of(std::string_view bytes);

  Kind kind() const;
  bool is(Kind wanted) const { return kind() == wanted; }
  bool exists() const { return !raw_.empty(); }

  /// Member of an object; absent if there is none. Keys written with escapes are not found. Of
  /// duplicates, the first is found.
  View operator[](std::string_view key) const;

  /// A string with its escapes decoded, in WTF-8; nullopt for other kinds or invalid UTF-8.
  std::optional<std::string> string() const;
  /// As string(), but empty in place of nullopt.
  std::string string_or_empty() const { return string().value_or(std::string()); }

  /// The bytes between the quotes of a string, escapes not decoded. Empty for other kinds.
  std::string_view between_quotes() const;
  /// As between_quotes(), but empty for a string with escapes.
  std::string_view plain_string() const;

  /// A number, truncated towards zero; nullopt for other kinds or if it does not fit.
  std::optional<std::int64_t> integer() const;
  std::optional<bool> boolean() const;

  /// The value's bytes without the white space around it.
  std::string_view raw() const { return raw_; }

 private:
  friend class Members;
  friend class Elements;
  explicit View(std::string_view raw) : raw_(raw) {}

  std::string_view raw_;
};

/// Iterates over an object's members in order; ends early at malformed bytes.
///   for (Members members(view); members.next();) use(members.key(), members.value());
class Members {
 public:
  explicit Members(View object);
  /// The members of the object at the front of `bytes`, without a search for its end.
  static Members begun(std::string_view bytes);
  bool next();
  /// As written, without the quotes; escapes are not decoded.
  std::string_view key() const { return key_; }
  View value() const { return value_; }
  /// After the last member: true if the object and then the bytes ended there.
  bool all_read() const;

 private:
  std::string_view rest_;
  std::string_view key_;
  View value_;
  bool first_ = true;
};

/// For reading several members of one object: scans it once, as far as needed. Of duplicates, the
/// first is found, as by a View.
class Object {
 public:
  explicit Object(View object) : unread_(object) {}
  /// See Members::begun().
  static Object begun(std::string_view bytes) { return Object(Members::begun(bytes)); }
  View operator[](std::string_view key);

 private:
  explicit Object(const Members& members) : unread_(members) {}
  struct Member {
    std::string_view key;
    View value;
  };
  /// More members than any event of the protocol has; members beyond it are scanned for each time.
  static constexpr std::size_t members_kept_max = 16;
  Members unread_;
  std::array<Member, members_kept_max> read_;
  std::size_t count_ = 0;
};

/// Iterates over an array's elements in order.
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
