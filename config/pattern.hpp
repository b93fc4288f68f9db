// A regular expression in RE2's syntax, to check text from outside. Matching time is linear in the
// length of the text, for every expression and text.
//
// Usable from any thread. Copies share the compiled expression.
#pragma once

#include <memory>
#include <stdexcept>
#include <string>
#include <string_view>

namespace re2 {
class RE2;
}

namespace verbatim::config {

class Pattern {
 public:
  struct Malformed : std::runtime_error {
    using std::runtime_error::runtime_error;
  };

  Pattern() = default;  ///< matches every text
  /// Throws Malformed with the reason if the expression is invalid or needs too much memory. An
  /// empty expression matches every text.
  explicit Pattern(std::string expression);

  /// Whether the whole text matches. The text must be UTF-8; a character is a Unicode code point.
  bool matches(std::string_view text) const;
  const std::string& expression() const { return expression_; }

 private:
  std::string expression_;
  std::shared_ptr<const re2::RE2> compiled_;
};

}  // namespace verbatim::config
