// The distinct texts of the merged copies. Most writers have most turns alike, and two turns that
// share a spelling need no comparison.
//
// Private to merge; one thread. Refers to the texts that it was given; they must outlive it.
#pragma once

#include <cstddef>
#include <optional>
#include <string>
#include <string_view>
#include <unordered_map>

#include "base/text.hpp"

namespace verbatim::transcript {

class Spelling {
 public:
  explicit Spelling(const Text& text) : text_(&text) {}

  const Text& text() const { return *text_; }
  /// spoken_words() of the text, computed at the first call.
  const std::string& words() const;
  /// Hash of words().
  std::size_t hash() const;

 private:
  const Text* text_;
  mutable std::optional<std::string> words_;
  mutable std::size_t hash_ = 0;
};

class Spellings {
 public:
  /// One object for all texts with the same bytes. The reference stays valid.
  const Spelling& of(const Text& text);

 private:
  std::unordered_map<std::string_view, Spelling> known_;
};

}  // namespace verbatim::transcript
