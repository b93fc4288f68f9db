// Transcript text, with a type of its own for two reasons:
// - a provider may split a surrogate pair between two deltas, so append() must join the halves;
// - text must never reach a log line, so there is no implicit conversion to a string.
//
// Pure value; one thread at a time. Source: docs/transcript-rules.md, rule 10.
#pragma once

#include <cstddef>
#include <string>
#include <string_view>

namespace verbatim {

class Text {
 public:
  Text() = default;

  /// Takes WTF-8: UTF-8 in which a lone surrogate half may appear as three bytes (ED A0..BF xx).
  /// Other bytes, as of a damaged store, stay as they are.
  static Text from_wtf8(std::string bytes);

  /// Appends `more`. A high half at the end and a low half at the front of `more` become one
  /// character.
  void append(const Text& more);

  bool empty() const { return bytes_.empty(); }
  std::size_t size_bytes() const { return bytes_.size(); }

  /// The stored form; from_wtf8() accepts it unchanged.
  const std::string& wtf8() const { return bytes_; }

  /// Valid UTF-8 for people: a lone half becomes U+FFFD. Nothing else changes: no trimming, no
  /// normalisation.
  std::string utf8() const;

  friend bool operator==(const Text&, const Text&) = default;

 private:
  std::string bytes_;
};

}  // namespace verbatim
