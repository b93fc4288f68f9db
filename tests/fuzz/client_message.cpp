// Any bytes as a client message. An accepted message must mean the same to another parser.
#include <cstdint>
#include <cstdlib>

#include "base/json/tree.hpp"
#include "session/protocol/openai/event_reader.hpp"

using namespace verbatim;
using namespace verbatim::protocol;

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
  const std::string_view message(reinterpret_cast<const char*>(data), size);
  const auto type = peek_type(message);
  if (!type.empty() &&
      (type.data() < message.data() || type.data() + type.size() > message.data() + size))
    std::abort();
  if (check_client_message(message)) return 0;
  read_client_event(message);
  const auto other = Json::parse(message, nullptr, false);
  if (other.is_discarded()) {
    // The other parser is stricter than the grammar in two points: half surrogate pairs, numbers
    // out of range.
    const bool may_be_half_pair = message.find("\\u") != message.npos;
    const bool may_be_too_large = message.find_first_of("123456789") != message.npos;
    if (!may_be_half_pair && !may_be_too_large) std::abort();
  } else if (!other.is_object() || other.at("type") != std::string(type)) {
    std::abort();
  }
  return 0;
}
