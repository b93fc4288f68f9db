// Transcript text. A type of its own for two reasons: a provider may cut a surrogate pair in two
// between deltas, so halves must be joined across appends; and text must never reach a log line,
// so nothing here converts to a string by itself.
//
// Pure value, no thread rule. Source of the rule: protocol timelines, rule 10 (21, 21b).
#pragma once

#include <cstddef>
#include <string>
#include <string_view>

namespace verbatim {

class Text {
 public:
  Text() = default;

  /// From bytes in WTF-8: UTF-8 in which a lone surrogate half may stand as its three generalised
  /// bytes (ED A0..BF xx). Precondition: well-formed apart from that.
  static Text from_wtf8(std::string bytes);

  /// Adds `more` behind; a high half at our end and a low half at its front become one character.
  void append(const Text& more);

  bool empty() const { return bytes_.empty(); }
  std::size_t size_bytes() const { return bytes_.size(); }

  /// The stored form: what from_wtf8() takes back unchanged.
  const std::string& wtf8() const { return bytes_; }

  /// For people: valid UTF-8, a half that stayed alone shown as U+FFFD. No other change: no
  /// trimming, no normalisation.
  std::string utf8() const;

  friend bool operator==(const Text&, const Text&) = default;

 private:
  std::string bytes_;
};

}  // namespace verbatim
