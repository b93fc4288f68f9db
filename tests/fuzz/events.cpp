// Any bytes as a stream of messages, through the protocol reader and the transcript engine. Seeds:
// tests/recordings (a recorded line counts as its event, any other line as itself).
#include <cstdint>
#include <cstdlib>
#include <unordered_set>

#include "base/json/view.hpp"
#include "base/utf8.hpp"
#include "session/protocol/openai/event_reader.hpp"
#include "session/transcript/transcript.hpp"

using namespace verbatim;
using namespace verbatim::protocol;
using namespace verbatim::transcript;

namespace {

void demand(bool promise) {
  if (!promise) std::abort();
}

std::optional<Event> read_line(std::string_view line) {
  const auto view = json::View::of(line);
  if (!view["event"].exists()) return read_server_event(line);
  const auto event = view["event"].raw();
  return view["dir"].between_quotes() == "c2s" ? read_client_event(event)
                                               : read_server_event(event);
}

void check_turns(const Transcript& transcript) {
  std::unordered_set<std::string> ids;
  for (const Turn& turn : transcript.turns()) {
    demand(ids.insert(turn.item_id).second);
    demand(utf8::is_valid(turn.text.utf8()));
    demand(turn.ordinal == static_cast<int>(ids.size()));
    if (turn.heard && turn.heard->text)
      demand(turn.text.wtf8().starts_with(turn.heard->text->wtf8()));
    if (transcript.finished()) demand(turn.status != TurnStatus::in_progress);
    const auto same = transcript.turn(turn.item_id);
    demand(same && same->text == turn.text && same->status == turn.status);
  }
}

}  // namespace

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
  std::string_view stream(reinterpret_cast<const char*>(data), size);
  Transcript transcript;
  TimeMs now = 0;
  std::unordered_set<std::string> ids;
  bool ids_are_unique = true;
  while (!stream.empty()) {
    const auto line = stream.substr(0, stream.find('\n'));
    stream.remove_prefix(line.size() == stream.size() ? line.size() : line.size() + 1);
    const auto event = read_line(line);
    if (!event) continue;
    const auto applied = transcript.apply(*event, ++now);
    // A connection that uses one id for different events has no repeats (rule 3).
    if (std::holds_alternative<UpstreamOpened>(event->body) && !applied.repeat) {
      ids.clear();
      ids_are_unique = true;
    }
    if (!applied.repeat && !event->id.empty() && !ids.insert(event->id).second)
      ids_are_unique = false;
    if (!event->id.empty() && event->id.size() <= 256 && ids_are_unique)
      demand(applied.repeat || transcript.apply(*event, now).repeat);
  }
  check_turns(transcript);
  finalise(transcript, now);
  check_turns(transcript);
  return 0;
}
