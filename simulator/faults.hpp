// What a simulated provider does wrong, and how that is written: "FAULT[=ARG]+FAULT[=ARG]...".
// The list with an example of each is in docs/simulator.md. Plain values; pure.
#pragma once

#include <cstdint>
#include <optional>
#include <string>
#include <string_view>

namespace verbatim::simulator {

struct Faults {
  struct Close {
    std::uint64_t after = 0;
    std::uint16_t code = 1000;
    std::string reason;
  };

  // On the wire, counted in server events.
  std::optional<std::uint64_t> drop_after;
  std::optional<Close> close_after;
  std::optional<std::uint64_t> hang_after;  ///< `silent` is this with 0
  double duplicate = 0;                     ///< probability that an event is sent twice
  double binary = 0;                        ///< that its JSON comes in a binary frame

  // In the conversation. Probabilities, for each utterance, answer, item or event.
  std::int64_t late_transcription_ms = 0;
  double fail_transcription = 0;
  double empty_transcription = 0;
  double missing_transcription = 0;
  bool transcription_deltas = true;
  double fail_response = 0;
  double refuse_history = 0;  ///< of an item with which a relay rebuilds a conversation
  double odd_ids = 0;
  double null_previous = 0;
  double no_item_ids = 0;  ///< of an answer's text and audio

  bool no_session_created = false;
  std::string profile;  ///< empty: the options' own

  double slow = 0;  ///< 0: not set
  std::string error_first;
  std::optional<std::int64_t> expire_after_ms;

  /// Adds what `spec` says. Throws std::invalid_argument that says what is wrong and what is known.
  void add(std::string_view spec);

 private:
  void add_one(std::string_view piece);
};

/// A model's name from the URL, and the faults behind it.
struct ModelName {
  std::string name;
  std::string faults;
};
ModelName split_model(std::string_view model);

}  // namespace verbatim::simulator
