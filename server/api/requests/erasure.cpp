#include "server/api/requests/erasure.hpp"

#include <algorithm>

#include "base/ids.hpp"
#include "server/api/requests/json_body.hpp"
#include "session/policy/known_members.hpp"

namespace verbatim::requests {

net::Result<std::vector<std::string>> read_erasure_request(std::string_view body) {
  const auto asked = read_object(body);
  if (!asked) return net::Refusal(asked.error());
  for (const auto& [name, value] : asked->items())
    if (name != "ids")
      return net::Refusal(net::problem(
          400, "unknown member",
          "'" + policy::shown_name(name) + "' " + policy::not_known(name, {"ids"}) + "."));
  const auto invalid = [] {
    return net::Refusal(
        net::problem(400, "invalid value", "'ids' must be a list of 1 to 100 ids of sessions."));
  };
  const auto list = asked->find("ids");
  if (list == asked->end() || !list->is_array()) return invalid();
  if (list->empty() || list->size() > erased_sessions_max) return invalid();
  std::vector<std::string> ids;
  for (const auto& id : *list) {
    if (!id.is_string() || !is_valid_session_id(id.get<std::string>())) return invalid();
    if (std::find(ids.begin(), ids.end(), id.get<std::string>()) == ids.end())
      ids.push_back(id.get<std::string>());
  }
  return ids;
}

}  // namespace verbatim::requests
