#include "simulator/script.hpp"

#include <algorithm>
#include <array>

namespace verbatim::simulator {

namespace {

constexpr std::array<std::string_view, 6> openings = {
    "Thanks, I heard you.", "That is a good point.",   "Let me think about that for a moment.",
    "I see what you mean.", "Happy to talk about it.", "Right, let us go on from there."};

constexpr std::array<std::string_view, 17> bodies = {
    "I am a simulated voice, so I hum instead of speaking, but my words are all in the transcript.",
    "If you talk over me now, I will stop, and the transcript will show how much of this you "
    "heard.",
    "Honey keeps for centuries, because hardly anything can live in so little water.",
    "The shortest way to a clear answer is often a second question.",
    "A lighthouse keeper once wrote down every ship that passed, and never missed one in forty "
    "years.",
    "Octopuses have three hearts, and two of them rest while the animal swims.",
    "Would you like to go through the details step by step, or shall I sum up first?",
    "On a quiet night you can hear a train from much farther away than by day.",
    "A good summary keeps the numbers, the names, and the one thing that surprised you.",
    "Bread rises faster in summer, which is why bakers change their clocks and not their recipes.",
    "The first telephone book had fifty names in it and not a single number.",
    "You can tell me more whenever you like, and I will keep listening.",
    "Maps are always a little wrong, and the useful ones say where.",
    "Bamboo can grow almost a metre in a day, and people say that you can hear it.",
    "We could practise the opening of that conversation again, a little slower this time.",
    "Snow is quiet because the air between its flakes swallows the sound.",
    "What would you say if the other person simply kept silent?"};

constexpr std::array<std::string_view, 4> heard_openings = {
    "This is what I said in utterance ", "Here are my words in utterance ",
    "You are now hearing utterance ", "Let me say something in utterance "};

constexpr std::array<std::string_view, 13> numbers = {"zero", "one",    "two",   "three", "four",
                                                      "five", "six",    "seven", "eight", "nine",
                                                      "ten",  "eleven", "twelve"};

constexpr std::size_t echo_most = 400;

bool continues_character(char c) { return (static_cast<unsigned char>(c) & 0xc0U) == 0x80U; }

}  // namespace

std::string Script::answer(std::uint64_t number) const {
  // The lengths of the lists have no common factor, so an answer repeats only after 102 answers.
  const std::uint64_t n = seed_ % 1'000'003 + number;
  std::string words(openings[n % openings.size()]);
  return words.append(" ").append(bodies[n % bodies.size()]);
}

std::string Script::echo(std::string_view typed) {
  const std::string_view kept = shortened(typed, echo_most);
  return std::string("You said: ").append(kept).append(kept.size() < typed.size() ? " ..." : "");
}

std::string Script::heard_first(std::uint64_t number) const {
  const std::string_view opening = heard_openings[(seed_ + number) % heard_openings.size()];
  return std::string(opening) + std::to_string(number);
}

std::string Script::heard_last(std::int64_t length_ms) {
  const auto seconds =
      static_cast<std::size_t>(std::max<std::int64_t>((length_ms + 500) / 1000, 1));
  const std::string count =
      seconds < numbers.size() ? std::string(numbers[seconds]) : std::to_string(seconds);
  return ", about " + count + (seconds == 1 ? " second long." : " seconds long.");
}

std::vector<std::string> pieces(std::string_view text) {
  constexpr std::string_view punctuation = ".,;:!?";
  constexpr std::size_t most = 24;
  std::vector<std::string> found;
  for (const char c : text) {
    const bool mark = punctuation.find(c) != punctuation.npos;
    const bool blank = c == ' ' || c == '\n';
    const bool split =
        found.empty() || mark || blank || (found.back().size() >= most && !continues_character(c));
    if (split) {
      found.emplace_back(1, c);
    } else {
      found.back() += c;
    }
  }
  return found;
}

std::string_view shortened(std::string_view text, std::size_t most) {
  if (text.size() <= most) return text;
  while (most > 0 && continues_character(text[most])) --most;
  return text.substr(0, most);
}

}  // namespace verbatim::simulator
