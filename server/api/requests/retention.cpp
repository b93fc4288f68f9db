#include "server/api/requests/retention.hpp"

#include <string>

#include "config/values.hpp"
#include "server/api/requests/json_body.hpp"
#include "session/policy/known_members.hpp"

namespace verbatim::requests {

net::Result<RetentionRequest> read_retention_request(std::string_view body) {
  RetentionRequest request;
  if (body.empty()) return request;
  const auto asked = read_object(body);
  if (!asked) return net::Refusal(asked.error());
  const auto invalid = [](const std::string& detail) {
    return net::Refusal(net::problem(400, "invalid value", detail));
  };
  for (const auto& [name, value] : asked->items()) {
    if (name == "older_than") {
      const auto age =
          value.is_string() ? config::parse_duration(value.get<std::string>()) : std::nullopt;
      if (!age || age->count() <= 0)
        return invalid("'older_than' must be a duration such as 12h or 30d.");
      request.older_than = age;
    } else if (name == "dry_run") {
      if (!value.is_boolean()) return invalid("'dry_run' must be true or false.");
      request.dry_run = value.get<bool>();
    } else {
      return net::Refusal(net::problem(400, "unknown member",
                                       "'" + policy::shown_name(name) + "' " +
                                           policy::not_known(name, {"older_than", "dry_run"}) +
                                           "."));
    }
  }
  return request;
}

}  // namespace verbatim::requests
