#include "server/api/requests/json_body.hpp"

#include <string>
#include <utility>

#include "base/json/view.hpp"

namespace verbatim::requests {

std::optional<net::HttpResponse> refuse_invalid_json(std::string_view body) {
  const auto fault = verbatim::json::check(body);
  if (!fault) return std::nullopt;
  return net::problem(400, "invalid JSON",
                      "The body is not JSON, at byte " + std::to_string(fault->offset) + ": " +
                          std::string(fault->what) + ".");
}

net::Result<Json> read_object(std::string_view body) {
  if (auto refused = refuse_invalid_json(body)) return net::Refusal(std::move(*refused));
  auto tree = Json::parse(body, nullptr, false);
  if (!tree.is_object())
    return net::Refusal(net::problem(400, "invalid value", "The body must be a JSON object."));
  return tree;
}

}  // namespace verbatim::requests
