// The text of a simulated conversation: the answers and the transcriptions. The same seed gives the
// same text. Pure.
#pragma once

#include <cstdint>
#include <string>
#include <string_view>
#include <vector>

namespace verbatim::simulator {

class Script {
 public:
  explicit Script(std::uint64_t seed) : seed_(seed) {}

  /// The nth answer to speech.
  std::string answer(std::uint64_t number) const;

  /// The answer to typed text.
  static std::string echo(std::string_view typed);

  /// The first words of the nth utterance, known while the user speaks.
  std::string heard_first(std::uint64_t number) const;
  /// The last words of an utterance, known once its length is known.
  static std::string heard_last(std::int64_t length_ms);

 private:
  std::uint64_t seed_;
};

/// Splits a text into pieces as a model does: words with the space before them, and punctuation.
/// The pieces add up to the text. Never splits a character.
std::vector<std::string> pieces(std::string_view text);

/// At most `most` bytes of `text`, in whole characters.
std::string_view shortened(std::string_view text, std::size_t most);

}  // namespace verbatim::simulator
