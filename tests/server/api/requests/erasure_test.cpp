// The body of POST /v1/erasures.
#include "server/api/requests/erasure.hpp"

#include <catch2/catch.hpp>

namespace verbatim::requests {
namespace {

TEST_CASE("the sessions to erase are a short list of ids, each once", "[api]") {
  const auto ids = read_erasure_request(R"({"ids":["a","b","a"]})");
  REQUIRE(ids);
  CHECK(*ids == std::vector<std::string>{"a", "b"});
  std::string many = "\"s0\"";
  for (std::size_t at = 1; at <= erased_sessions_max; ++at)
    many += ",\"s" + std::to_string(at) + '"';
  for (const std::string& bad :
       {std::string(), std::string("[]"), std::string("{}"), std::string(R"({"ids":[]})"),
        std::string(R"({"ids":"a"})"), std::string(R"({"ids":["a b"]})"),
        std::string(R"({"ids":[7]})"), std::string(R"({"ids":["a"],"id":"b"})"),
        R"({"ids":[)" + many + "]}"}) {
    INFO(bad);
    CHECK_FALSE(read_erasure_request(bad));
  }
}

}  // namespace
}  // namespace verbatim::requests
