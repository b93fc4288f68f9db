// Any bytes through the beta dialect, both ways: the output is JSON if the input was, means the
// same to a transcript, and is not translated twice.
#include <cstdint>
#include <string>

#include "base/json/view.hpp"
#include "session/protocol/clients/beta_dialect.hpp"
#include "session/protocol/openai/event_reader.hpp"
#include "tests/fuzz/demand.hpp"

using namespace verbatim;
using namespace verbatim::protocol;
using namespace verbatim::transcript;

namespace {

/// The bytes of a tool's item are kept, and may be written otherwise.
Event without_detail(Event event) {
  std::visit(
      [](auto& body) {
        if constexpr (requires { body.item.detail; }) body.item.detail.clear();
        if constexpr (requires { body.output; })
          for (Item& item : body.output) item.detail.clear();
      },
      event.body);
  return event;
}

void from_client(const std::string& bytes) {
  Message message{bytes};
  beta_dialect().to_provider(message);
  if (check_client_message(bytes)) {
    demand(message.bytes == bytes);
    return;
  }
  if (const auto fault = json::check(message.bytes)) {
    // GA's shape is deeper, and may be too deep.
    demand(fault->what == "nested too deeply");
    return;
  }
  demand(!check_client_message(message.bytes));
  const auto before = read_client_event(bytes);
  const auto after = read_client_event(message.bytes);
  demand(before.has_value() == after.has_value());
  if (before) demand(without_detail(*before) == without_detail(*after));
}

void from_provider(const std::string& bytes) {
  Message message{bytes};
  if (!beta_dialect().to_client(message)) return;
  if (json::check(bytes)) return;
  demand(!json::check(message.bytes));
  // A session that has a setting in both shapes has no single meaning.
  const auto session = json::View::of(bytes)["session"];
  const bool both = session["audio"].exists() && (session["input_audio_transcription"].exists() ||
                                                  session["output_audio_format"].exists());
  if (both) return;
  const auto before = read_server_event(bytes);
  const auto after = read_server_event(message.bytes);
  demand(before.has_value() == after.has_value());
  if (before) demand(without_detail(*before) == without_detail(*after));
  Message again{message.bytes};
  demand(beta_dialect().to_client(again));
  demand(again.bytes == message.bytes);
}

}  // namespace

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
  const std::string bytes(reinterpret_cast<const char*>(data), size);
  from_client(bytes);
  from_provider(bytes);
  return 0;
}
