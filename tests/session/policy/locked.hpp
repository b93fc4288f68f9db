// Policies that lock fields, and clients' attempts to change these.
#pragma once

#include <string>
#include <utility>
#include <vector>

#include "session/policy/policy.hpp"
#include "session/protocol/envelope.hpp"

namespace verbatim::session::test {

inline constexpr const char* bound = R"({"type":"realtime","instructions":"Be kind.","tools":[],)"
                                     R"("audio":{"output":{"voice":"marin"}}})";

inline policy::Policy locked(std::vector<std::string> fields, const char* session = bound) {
  policy::PolicyRules rules;
  rules.locked = std::move(fields);
  return {std::move(rules), session, "gpt-realtime"};
}

/// The field that a refusal names; "" if the message passes.
inline std::string fault(const policy::Policy& policy, const std::string& message) {
  const auto refusal = policy.refuse(protocol::peek_type(message), message);
  if (!refusal) return "";
  return refusal->code == "field_locked" ? refusal->param : refusal->code;
}

inline std::string respond(const std::string& response) {
  return R"({"type":"response.create","response":)" + response + "}";
}

inline std::string create(const std::string& item) {
  return R"({"type":"conversation.item.create","item":)" + item + "}";
}

}  // namespace verbatim::session::test
