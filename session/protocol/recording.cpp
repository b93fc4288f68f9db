#include "session/protocol/recording.hpp"

#include "base/json/view.hpp"

namespace verbatim::protocol {
namespace {

constexpr std::string_view name_of(Direction direction) {
  return direction == Direction::to_client ? "s2c" : "c2s";
}

/// Reads one line into `recording`: an event, or the reason why it cannot be read.
void read_line(std::string_view line, std::size_t number, Recording& recording) {
  const auto refuse = [&](std::string why) {
    recording.errors.push_back({number, std::move(why)});
  };
  if (const auto fault = json::check(line)) {
    return refuse(std::string(fault->what) + " at byte " + std::to_string(fault->offset));
  }
  const auto view = json::View::of(line);
  if (!view.is(json::Kind::object)) return refuse("not a JSON object");

  RecordedEvent recorded;
  const auto direction = view["dir"].between_quotes();
  if (direction == name_of(Direction::to_server)) {
    recorded.direction = Direction::to_server;
  } else if (direction != name_of(Direction::to_client)) {
    return refuse("\"dir\" must be \"s2c\" or \"c2s\"");
  }
  const auto time = view["t_ms"];
  recorded.t_ms = time.integer();
  if (!recorded.t_ms && time.exists() && !time.is(json::Kind::null)) {
    return refuse("\"t_ms\" must be a number or null");
  }
  const auto event = view["event"];
  if (!event.is(json::Kind::object)) return refuse("\"event\" must be an object");
  recorded.event = event.raw();
  recording.events.push_back(std::move(recorded));
}

}  // namespace

Recording read_recording(std::string_view jsonl) {
  Recording recording;
  for (std::size_t number = 1; !jsonl.empty(); ++number) {
    const auto line = jsonl.substr(0, jsonl.find('\n'));
    jsonl.remove_prefix(line.size() == jsonl.size() ? line.size() : line.size() + 1);
    if (line.find_first_not_of(" \t\r") != line.npos) read_line(line, number, recording);
  }
  return recording;
}

std::string write_recorded_event(std::optional<std::int64_t> t_ms, Direction direction,
                                 std::string_view event) {
  std::string line = R"({"t_ms":)";
  line += t_ms ? std::to_string(*t_ms) : "null";
  line.append(R"(,"dir":")").append(name_of(direction));
  line.append(R"(","event":)").append(event).append("}\n");
  return line;
}

}  // namespace verbatim::protocol
