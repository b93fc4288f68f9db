#include "server/api/requests/session.hpp"

#include "base/ids.hpp"
#include "base/json/dump.hpp"
#include "base/json/tree.hpp"
#include "server/api/requests/json_body.hpp"
#include "session/policy/known_members.hpp"

namespace verbatim::requests {

namespace {

net::Refusal invalid(const std::string& detail) {
  return net::Refusal(net::problem(400, "invalid value", detail));
}

/// The session's id or its user.
net::Result<std::string> read_identifier(const std::string& name, const Json& value) {
  if (!value.is_string() || value.get_ref<const std::string&>().empty())
    return invalid("'" + name + "' must be a non-empty string.");
  return value.get<std::string>();
}

net::Result<std::string> read_metadata(const std::string& name, const Json& value) {
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

/// Reads the member into the request, or refuses it.
net::Result<void> take_member(const std::string& name, const Json& value, SessionRequest& request) {
  const auto keep = [](auto read, auto& into) -> net::Result<void> {
    if (!read) return net::Refusal(std::move(read).error());
    into = std::move(*read);
    return {};
  };
  if (name == "session_id" || name == "id")
    return keep(read_identifier(name, value), request.session_id);
  if (name == "user") return keep(read_identifier(name, value), request.user);
  if (name == "metadata") return keep(read_metadata(name, value), request.metadata);
  if (name == "private") return keep(read_metadata(name, value), request.private_metadata);
  return unknown_member(name);
}

}  // namespace

net::Result<SessionRequest> read_session_request(std::string_view body) {
  SessionRequest request;
  if (body.empty()) return request;
  const auto asked = read_object(body);
  if (!asked) return net::Refusal(asked.error());
  for (const auto& [name, value] : asked->items())
    if (auto taken = take_member(name, value, request); !taken)
      return net::Refusal(std::move(taken).error());
  if (!request.session_id.empty() && !is_valid_session_id(request.session_id))
    return invalid("'session_id' must be 1 to 128 letters, digits, '_', '-', '.', ':'.");
  return request;
}

}  // namespace verbatim::requests
