#include "server/api/requests/json_body.hpp"

#include <string>

#include "base/json/view.hpp"

namespace verbatim::requests {

std::optional<net::HttpResponse> refuse_invalid_json(std::string_view body) {
  const auto fault = verbatim::json::check(body);
  if (!fault) return std::nullopt;
  return net::problem(400, "invalid JSON",
                      "The body is not JSON, at byte " + std::to_string(fault->offset) + ": " +
                          std::string(fault->what) + ".");
}

}  // namespace verbatim::requests
