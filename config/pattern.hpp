// A regular expression (RE2's syntax) that a text from outside is held against: the time that takes
// grows with the text's length, whatever the expression and the text are.
//
// Any thread; copies share what was compiled.
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

  Pattern() = default;  ///< all texts match it
  /// Throws Malformed, with the reason, if it is no expression, or one that needs too much memory.
  /// An empty one is as if there were none.
  explicit Pattern(std::string expression);

  /// Whether all of the text matches it. Characters are Unicode's; the text must be UTF-8.
  bool matches(std::string_view text) const;
  const std::string& expression() const { return expression_; }

 private:
  std::string expression_;
  std::shared_ptr<const re2::RE2> compiled_;
};

}  // namespace verbatim::config
