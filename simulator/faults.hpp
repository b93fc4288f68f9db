// The faults of a simulated provider, and their parser: "FAULT[=ARG]+FAULT[=ARG]...".
// docs/simulator.md lists them with examples. Plain values; pure functions.
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

  // Faults of the connection, counted in server events.
  std::optional<std::uint64_t> drop_after;
  std::optional<Close> close_after;
  std::optional<std::uint64_t> hang_after;  ///< the fault `silent` sets 0
  double duplicate = 0;                     ///< probability that an event is sent twice
  double binary = 0;                        ///< probability that an event is in a binary frame

  // Faults of the conversation: probabilities for each utterance, answer, item or event.
  std::int64_t late_transcription_ms = 0;
  double fail_transcription = 0;
  double empty_transcription = 0;
  double missing_transcription = 0;
  bool transcription_deltas = true;
  double fail_response = 0;
  double refuse_history = 0;  ///< for an item with which a relay rebuilds a conversation
  double odd_ids = 0;
  double null_previous = 0;
  double no_item_ids = 0;  ///< in an answer's text and audio events

  bool no_session_created = false;
  std::string profile;  ///< empty: from the options

  double slow = 0;  ///< 0: not set
  std::string error_first;
  std::optional<std::int64_t> expire_after_ms;

  /// Adds the faults in `spec`. Throws std::invalid_argument with the error and the known names.
  void add(std::string_view spec);

 private:
  void add_one(std::string_view piece);
};

/// The `model` parameter of the URL, split into a model's name and faults.
struct ModelName {
  std::string name;
  std::string faults;
};
ModelName split_model(std::string_view model);

}  // namespace verbatim::simulator
