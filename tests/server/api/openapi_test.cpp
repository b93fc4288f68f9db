// The OpenAPI description matches the API.
#include <catch2/catch.hpp>
#include <set>

#include "base/json/tree.hpp"
#include "server/api/openapi.hpp"
#include "server/api/routes.hpp"
#include "session/transcript/close_reason.hpp"

using namespace verbatim;
using namespace verbatim::api;

TEST_CASE("the description has every call of the API and no other", "[http]") {
  const auto document = Json::parse(openapi_document());
  std::set<std::string> described;
  for (const auto& [path, item] : document["paths"].items()) {
    for (const auto& [method, operation] : item.items()) {
      if (method == "parameters") continue;
      std::string name = method + " " + path;
      for (char& c : name) {
        if (c == ' ') break;
        c = static_cast<char>(std::toupper(static_cast<unsigned char>(c)));
      }
      described.insert(name);
    }
  }
  std::set<std::string> answered;
  for (const Route& route : all_routes())
    answered.insert(std::string(route.method) + " " + route.path);
  CHECK(described == answered);
  CHECK(document["info"]["version"] == VERBATIM_VERSION);
}

TEST_CASE("the description has every close reason and no other", "[http]") {
  const auto document = Json::parse(openapi_document());
  auto expected = Json::array();
  for (const transcript::CloseReasonRow& row : transcript::close_reasons)
    expected.push_back(row.name);
  expected.push_back(nullptr);  // while it lives
  CHECK(document["components"]["schemas"]["CloseReason"]["enum"] == expected);
}
