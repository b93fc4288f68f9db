#include "server/api/requests/session.hpp"

#include <nlohmann/json.hpp>

#include "base/ids.hpp"
#include "base/json/dump.hpp"
#include "server/api/requests/json_body.hpp"
#include "session/policy/known_members.hpp"

namespace verbatim::requests {

using nlohmann::json;

namespace {

net::Refusal invalid(const std::string& detail) {
  return net::Refusal(net::problem(400, "invalid value", detail));
}

/// The session's id or its user.
net::Result<std::string> read_identifier(const std::string& name, const json& value) {
  if (!value.is_string() || value.get_ref<const std::string&>().empty())
    return invalid("'" + name + "' must be a non-empty string.");
  return value.get<std::string>();
}

net::Result<std::string> read_metadata(const std::string& name, const json& value) {
  if (!value.is_object()) return invalid("'" + name + "' must be an object.");
  std::string text = dump(value);
  if (text.size() > metadata_bytes_max)
    return net::Refusal(net::problem(
        413, "too large",
        "'" + name + "' has more than " + std::to_string(metadata_bytes_max) + " bytes."));
  return text;
}

net::Refusal unknown_member(const std::string& name) {
  return net::Refusal(net::problem(
      400, "unknown member",
      "'" + policy::shown_name(name) + "' " +
          policy::not_known(name, {"session_id", "user", "metadata", "private"}) + "."));
}

}  // namespace

net::Result<SessionRequest> read_session_request(std::string_view body) {
  SessionRequest request;
  if (body.empty()) return request;
  // The bounded check first: a tree is built by recursion.
  if (auto refused = refuse_invalid_json(body)) return net::Refusal(std::move(*refused));
  const json asked = json::parse(body, nullptr, false);
  if (!asked.is_object()) return invalid("The body must be a JSON object.");
  for (const auto& [name, value] : asked.items()) {
    const bool is_id = name == "session_id" || name == "id";
    if (is_id || name == "user") {
      auto read = read_identifier(name, value);
      if (!read) return net::Refusal(std::move(read).error());
      if (is_id)
        request.session_id = std::move(*read);
      else
        request.user = std::move(*read);
    } else if (name == "metadata" || name == "private") {
      auto read = read_metadata(name, value);
      if (!read) return net::Refusal(std::move(read).error());
      (name == "private" ? request.private_metadata : request.metadata) = std::move(*read);
    } else {
      return unknown_member(name);
    }
  }
  if (!request.session_id.empty() && !is_valid_session_id(request.session_id))
    return invalid("'session_id' must be 1 to 128 letters, digits, '_', '-', '.', ':'.");
  return request;
}

}  // namespace verbatim::requests
