#include "server/api/requests/session.hpp"

#include <nlohmann/json.hpp>

#include "base/ids.hpp"
#include "base/json/view.hpp"
#include "session/policy/known_members.hpp"

namespace verbatim::server {

using nlohmann::json;

std::variant<SessionRequest, HttpResponse> read_session_request(std::string_view body) {
  SessionRequest request;
  if (body.empty()) return request;
  // The bounded check first: a tree is built by recursion.
  if (const auto fault = verbatim::json::check(body))
    return problem(400, "invalid JSON",
                   "The body is not JSON, at byte " + std::to_string(fault->offset) + ": " +
                       std::string(fault->what) + ".");
  const json asked = json::parse(body, nullptr, false);
  if (!asked.is_object()) return problem(400, "invalid value", "The body must be a JSON object.");
  for (const auto& [name, value] : asked.items()) {
    if (name == "session_id" || name == "id" || name == "user") {
      if (!value.is_string() || value.get<std::string>().empty())
        return problem(400, "invalid value", "'" + name + "' must be a non-empty string.");
      if (name == "user")
        request.user = value.get<std::string>();
      else
        request.session_id = value.get<std::string>();
    } else if (name == "metadata" || name == "private") {
      if (!value.is_object())
        return problem(400, "invalid value", "'" + name + "' must be an object.");
      std::string& part = name == "private" ? request.private_metadata : request.metadata;
      part = value.dump(-1, ' ', false, json::error_handler_t::replace);
      if (part.size() > metadata_bytes_max)
        return problem(
            413, "too large",
            "'" + name + "' has more than " + std::to_string(metadata_bytes_max) + " bytes.");
    } else {
      return problem(400, "unknown member",
                     "'" + shown_name(name) + "' " +
                         not_known(name, {"session_id", "user", "metadata", "private"}) + ".");
    }
  }
  if (!request.session_id.empty() && !is_valid_session_id(request.session_id))
    return problem(400, "invalid value",
                   "'session_id' must be 1 to 128 letters, digits, '_', '-', '.', ':'.");
  return request;
}

}  // namespace verbatim::server
