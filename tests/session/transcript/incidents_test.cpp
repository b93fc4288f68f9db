// Elements of the stored usage beside tokens: the response that used them, and incidents.
#include <catch2/catch.hpp>

#include "tests/session/transcript/stream.hpp"

using namespace verbatim;
using namespace verbatim::transcript;
using namespace verbatim::session::test;
using Catch::Contains;

namespace {

std::string stored(Stream& stream) { return usage_list(stream.transcript); }

ResponseEnded ended_with_usage(const std::string& id) {
  return {id, false, ResponseStatus::completed, {}, {}, R"({"total_tokens":7})"};
}

TEST_CASE("the stored usage says which response used it", "[usage]") {
  Stream stream(
      {opened(), started("r1"), ended_with_usage("r1"), started("r2"), ended_with_usage("r2")});
  CHECK_THAT(stored(stream),
             Contains(R"({"verbatim_usage_of":{"response_id":"r1"}},{"total_tokens":7})") &&
                 Contains(R"({"verbatim_usage_of":{"response_id":"r2"}},{"total_tokens":7})"));
  CHECK(sum_usage(stored(stream)).total_tokens == 14);
}

TEST_CASE("losses, new connections, errors and later settings are incidents", "[P8][usage]") {
  Stream stream({opened(), SettingsChanged{"{}"}});
  CHECK_THAT(stored(stream), !Contains("verbatim_incident"));
  stream.then({UpstreamLost{"upstream_lost"}, opened(), SettingsChanged{"{}"},
               ProviderError{"server_error", "overloaded", {}}});
  for (const char* kind : {R"("kind":"upstream_lost")", R"("kind":"upstream_opened")",
                           R"("kind":"settings_changed")", R"("why":"overloaded")"})
    CHECK_THAT(stored(stream), Contains(kind));
  CHECK(sum_usage(stored(stream)) == Usage{});
}

TEST_CASE("a peer that causes errors without end does not fill the record", "[P11][usage]") {
  Stream stream({opened()});
  for (std::size_t n = 0; n < incidents_max + 50; ++n)
    stream.then({ProviderError{"invalid_request_error", "nonsense", {}}});
  std::size_t found = 0;
  const std::string list = stored(stream);
  for (std::size_t at = 0; (at = list.find("verbatim_incident", at)) != std::string::npos; ++at)
    ++found;
  CHECK(found == incidents_max);
}

}  // namespace
