// Reads and writes recorded streams: JSON Lines, one event a line:
//   {"t_ms":1234,"dir":"s2c"|"c2s","event":{...}}
// `t_ms` may be null or absent. The event's bytes stay as they are in the file. Pure; any thread.
#pragma once

#include <cstdint>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

namespace verbatim::protocol {

enum class Direction { to_client, to_server };

struct RecordedEvent {
  std::optional<std::int64_t> t_ms;
  Direction direction = Direction::to_client;
  std::string event;  ///< the event's JSON, byte for byte as in the file
};

struct RecordingError {
  std::size_t line = 0;  ///< from 1
  std::string message;
};

struct Recording {
  std::vector<RecordedEvent> events;
  std::vector<RecordingError> errors;  ///< skipped lines, each with its reason
};

Recording read_recording(std::string_view jsonl);

/// One line, newline included. `event` must be one JSON value without line breaks.
std::string write_recorded_event(std::optional<std::int64_t> t_ms, Direction direction,
                                 std::string_view event);

}  // namespace verbatim::protocol
