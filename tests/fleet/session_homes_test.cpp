// The homes of sessions by a real PostgreSQL.
#include "server/fleet/directory/session_homes.hpp"

#include <catch2/catch.hpp>
#include <future>

#include "server/fleet/ownership/takeover_queries.hpp"
#include "tests/support/fleet_database.hpp"

namespace verbatim::directory {
namespace {

using relay::Purpose;
using Where = relay::SessionHome::Where;

const std::string node_a = "aaaaaaaa-1111-4111-8111-111111111111";

Where ask(SessionHomes& homes, const std::string& id, Purpose purpose) {
  std::promise<relay::SessionHome> answer;
  homes.find(id, purpose, [&](relay::SessionHome home) { answer.set_value(std::move(home)); });
  return answer.get_future().get().where;
}

}  // namespace

TEST_CASE("an erased session does not begin at a node before that has followed the erasure",
          "[P10][P14][fleet]") {
  testing::FleetDatabase fleet;
  database::Connection connection = fleet.prepared();
  fleet.enter(1, node_a);
  fleet.sql("INSERT INTO erased VALUES ('gone', '" + node_a + "')");
  Log log{{LogLevel::error, LogFormat::text, 10}, [](std::string) { return std::string(); }};
  SessionHomes homes(
      fleet.settings, [] { return 1; }, log);
  CHECK(ask(homes, "gone", Purpose::look) == Where::nowhere);
  CHECK(ask(homes, "gone", Purpose::begin) == Where::unknown);
  CHECK(ask(homes, "new", Purpose::begin) == Where::here);
  REQUIRE(ownership::confirm_erased(connection, {"gone"}, 1));
  CHECK(ask(homes, "gone", Purpose::begin) == Where::here);
}

}  // namespace verbatim::directory
