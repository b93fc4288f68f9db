// Any bytes as a message of either side: the peek and the readers must find what a full parser
// finds.
#include <cstdint>

#include "base/json/tree.hpp"
#include "base/json/view.hpp"
#include "session/protocol/openai/event_reader.hpp"
#include "tests/fuzz/demand.hpp"

using namespace verbatim;
using namespace verbatim::protocol;
using namespace verbatim::transcript;

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
  const std::string_view message(reinterpret_cast<const char*>(data), size);
  const std::string_view type = peek_type(message);
  if (!type.empty()) {
    demand(type.data() >= message.data() && type.data() + type.size() <= message.data() + size);
    demand(type.find_first_of("\"\\") == type.npos);
  }
  const auto from_server = read_server_event(message);
  const auto from_client = read_client_event(message);
  // A message without a recognisable name means nothing; a message whose name skips the journal has
  // no text. A provider's message that cannot be read is always recognised as unreadable.
  const bool unreadable = from_server && std::holds_alternative<TextUnplaced>(from_server->body);
  if (type.empty()) demand(!from_client);
  if (from_server && !unreadable && !type.empty()) demand(server_traffic(type) != Traffic::other);
  if (from_server && !unreadable && server_traffic(type) == Traffic::audio)
    demand(std::holds_alternative<AudioDelta>(from_server->body));
  if (from_client) {
    demand(is_client_event(type));
    demand(client_traffic(type) != Traffic::audio);
  }
  if (json::check(message) || check_client_message(message, {std::string(type)})) return 0;
  const auto whole = Json::parse(message, nullptr, false);
  if (!whole.is_discarded()) demand(whole.at("type") == std::string(type));
  return 0;
}
