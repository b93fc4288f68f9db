// The texts of the copies that are merged, each once: most writers have most turns alike, and two
// turns with one spelling need no comparison.
//
// Private to merge. Refers to the texts that it was asked for, which outlive it.
#pragma once

#include <cstddef>
#include <optional>
#include <string>
#include <string_view>
#include <unordered_map>

#include "base/text.hpp"

namespace verbatim::session {

class Spelling {
 public:
  explicit Spelling(const Text& text) : text_(&text) {}

  const Text& text() const { return *text_; }
  /// spoken_words() of the text, made when first asked for.
  const std::string& words() const;
  /// Of the words.
  std::size_t hash() const;

 private:
  const Text* text_;
  mutable std::optional<std::string> words_;
  mutable std::size_t hash_ = 0;
};

class Spellings {
 public:
  /// The same object for every text with these bytes. Stays where it is.
  const Spelling& of(const Text& text);

 private:
  std::unordered_map<std::string_view, Spelling> known_;
};

}  // namespace verbatim::session
