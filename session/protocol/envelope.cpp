#include "session/protocol/envelope.hpp"

#include "base/json/view.hpp"

namespace verbatim::protocol {

std::string_view peek_type(std::string_view message) {
  for (auto members = json::Members::begun(message); members.next();) {
    if (members.key().find('\\') != std::string_view::npos) return {};
    if (members.key() != "type") continue;
    return members.value().plain_string();
  }
  return {};
}

std::string named_event_id(std::string_view message) {
  return quotable_event_id(json::Object::begun(message)["event_id"].string_or_empty());
}

std::string quotable_event_id(std::string event_id) {
  constexpr std::size_t longest = 512;
  return event_id.size() > longest ? std::string() : event_id;
}

}  // namespace verbatim::protocol
