// The connection that is opened again after an error.
#include "server/fleet/database/lasting_connection.hpp"

#include <catch2/catch.hpp>

#include "tests/support/fleet_database.hpp"

namespace verbatim::database {

TEST_CASE("a pause after an error ends when it was going to, however often it is asked meanwhile",
          "[P11][P14][fleet]") {
  config::Fleet settings = testing::fleet_settings("postgresql://127.0.0.1:1/none");
  settings.retry_min = settings.retry_max = std::chrono::hours(1);
  LastingConnection connection(settings, "test");
  REQUIRE_FALSE(connection.connect());
  const auto connect_at = connection.connect_at();
  for (int asked = 0; asked < 3; ++asked) {
    const auto refused = connection.connect();
    REQUIRE_FALSE(refused);
    connection.close_and_pause(refused.error());
  }
  CHECK(connection.connect_at() == connect_at);
}

}  // namespace verbatim::database
