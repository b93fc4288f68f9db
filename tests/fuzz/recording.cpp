// Any bytes as a recording: read, replayed, rendered in every format, and written back.
#include <cstdint>
#include <cstdlib>

#include "session/protocol/replay.hpp"

using namespace verbatim;
using namespace verbatim::protocol;
using namespace verbatim::transcript;

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
  const auto recording =
      read_recording(std::string_view(reinterpret_cast<const char*>(data), size));
  std::string written;
  for (const auto& event : recording.events) {
    // White space within an event may contain other separators, but no line break.
    if (event.event.find('\n') != std::string::npos) std::abort();
    written += write_recorded_event(event.t_ms, event.direction, event.event);
  }
  const auto again = read_recording(written);
  if (again.events.size() != recording.events.size() || !again.errors.empty()) std::abort();

  const auto view = replay(recording);
  for (const Format format :
       {Format::json, Format::jsonl, Format::text, Format::markdown, Format::vtt, Format::srt})
    render(view, format);
  return 0;
}
