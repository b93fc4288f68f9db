// The words of a simulated conversation: what is answered, and what is supposed to have been heard.
// The same seed gives the same words. Pure.
#pragma once

#include <cstdint>
#include <string>
#include <string_view>
#include <vector>

namespace verbatim::simulator {

class Script {
 public:
  explicit Script(std::uint64_t seed) : seed_(seed) {}

  /// The nth answer to something spoken.
  std::string answer(std::uint64_t number) const;

  /// An answer to something typed.
  static std::string echo(std::string_view typed);

  /// The words with which the nth utterance begins, known while it is being spoken.
  std::string heard_first(std::uint64_t number) const;
  /// And those with which it ends, known once its length is.
  static std::string heard_last(std::int64_t length_ms);

 private:
  std::uint64_t seed_;
};

/// A text in the pieces in which a model says it: words with the blank before them, punctuation.
/// Their sum is the text. Never cuts a character.
std::vector<std::string> pieces(std::string_view text);

/// Not more than `most` bytes of `text`, whole characters.
std::string_view shortened(std::string_view text, std::size_t most);

}  // namespace verbatim::simulator
