// The events that a beta client sends and receives, as the dialect translates them.
#pragma once

#include <optional>
#include <string>

#include "base/json/tree.hpp"
#include "session/protocol/clients/beta_dialect.hpp"

namespace verbatim::session::test {

inline std::string beta_said(std::string bytes) {
  protocol::Message message{std::move(bytes)};
  protocol::beta_dialect().to_provider(message);
  return message.bytes;
}
inline std::string beta_said(const char* bytes) { return beta_said(std::string(bytes)); }
inline Json beta_said(const Json& event) { return Json::parse(beta_said(event.dump())); }

inline std::optional<std::string> beta_heard(std::string bytes) {
  protocol::Message message{std::move(bytes)};
  if (!protocol::beta_dialect().to_client(message)) return std::nullopt;
  return message.bytes;
}
inline std::optional<std::string> beta_heard(const char* bytes) {
  return beta_heard(std::string(bytes));
}
inline Json beta_heard(const Json& event) {
  const auto bytes = beta_heard(event.dump());
  return bytes ? Json::parse(*bytes) : Json();
}

}  // namespace verbatim::session::test
