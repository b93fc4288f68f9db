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

  // In the conversation.
  std::int64_t late_transcription_ms = 0;
  bool fail_transcription = false;
  bool empty_transcription = false;
  bool transcription_deltas = true;

  double slow = 0;  ///< 0: not set
  std::string error_first;
  std::optional<std::int64_t> expire_after_ms;

  /// Adds what `spec` says. Throws std::invalid_argument that says what is wrong and what is known.
  void add(std::string_view spec);
};

/// A model's name from the URL, and the faults behind it.
struct ModelName {
  std::string name;
  std::string faults;
};
ModelName split_model(std::string_view model);

}  // namespace verbatim::simulator
