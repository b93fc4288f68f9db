// Any bytes at the gate for client messages. What passes must be the same to another parser.
#include <cstdint>
#include <cstdlib>
#include <nlohmann/json.hpp>

#include "session/protocol.hpp"

using namespace verbatim::session;

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
  const std::string_view message(reinterpret_cast<const char*>(data), size);
  const auto type = peek_type(message);
  if (!type.empty() &&
      (type.data() < message.data() || type.data() + type.size() > message.data() + size))
    std::abort();
  if (check_client_message(message)) return 0;
  read_client_event(message);
  const auto other = nlohmann::json::parse(message, nullptr, false);
  if (other.is_discarded()) {
    // The one thing on which it is stricter than the grammar, and numbers beyond its range.
    const bool escape = message.find("\\u") != message.npos || message.find("\\U") != message.npos;
    const bool exponent = message.find_first_of("0123456789") != message.npos;
    if (!escape && !exponent) std::abort();
  } else if (!other.is_object() || other.at("type") != std::string(type)) {
    std::abort();
  }
  return 0;
}
