#include "server/api/requests/session_end.hpp"

#include "server/api/requests/json_body.hpp"
#include "session/policy/known_members.hpp"

namespace verbatim::requests {

net::Result<std::string> read_end_reason(std::string_view body) {
  if (body.empty()) return std::string();
  const auto asked = read_object(body);
  if (!asked) return net::Refusal(asked.error());
  for (const auto& [name, value] : asked->items()) {
    if (name == "reason") continue;
    return net::Refusal(net::problem(
        400, "unknown member",
        "'" + policy::shown_name(name) + "' " + policy::not_known(name, {"reason"}) + "."));
  }
  const auto reason = asked->find("reason");
  if (reason == asked->end() || reason->is_null()) return std::string();
  if (!reason->is_string() || reason->get_ref<const std::string&>().size() > end_reason_bytes_max)
    return net::Refusal(net::problem(400, "invalid value",
                                     "'reason' must be a string of at most " +
                                         std::to_string(end_reason_bytes_max) + " bytes."));
  return reason->get<std::string>();
}

}  // namespace verbatim::requests
