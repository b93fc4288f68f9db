// Client tokens of all nodes in a real PostgreSQL.
#include "server/fleet/tokens/token_queries.hpp"

#include <catch2/catch.hpp>

#include "server/fleet/shipping/batch.hpp"
#include "tests/support/fleet_database.hpp"

namespace verbatim::tokens {
namespace {

using database::Connection;

const std::string node_a = "aaaaaaaa-1111-4111-8111-111111111111";

struct OneNode : testing::FleetDatabase {
  Connection connection = prepared();
  shipping::Sender sender;

  OneNode() {
    enter(1, node_a);
    sender = {node_a, "run-1", 1, std::chrono::hours(1)};
  }
  void ship(const std::string& id, std::optional<TimeMs> revoked_at) {
    store::ShippedToken token;
    token.id = id;
    token.user = std::string("ann\0", 4);
    token.session_id = "s1";
    token.session_config = "sealed:x";
    token.terms_json = token.private_json = "{}";
    token.expires_at = 99;
    token.revoked_at = revoked_at;
    store::Shipment out;
    out.tokens = {token};
    Connection to = connect();
    REQUIRE(to.begin_pipeline());
    REQUIRE(shipping::send_rows(to, sender, out));
    REQUIRE(to.sync());
    while (true) {
      const auto arrived = to.receive();
      REQUIRE(arrived);
      if (*arrived && (*arrived)->synced) return;
    }
  }
  std::vector<std::string> revoked(bool all) { return find_revoked(connection, all, {}).value(); }
};

}  // namespace

TEST_CASE("a node reads the record of a token that another node has shipped",
          "[P14][fleet][tokens]") {
  OneNode fleet;
  fleet.ship("cs_1", std::nullopt);
  const auto found = find_token(fleet.connection, "cs_1");
  REQUIRE(found);
  REQUIRE(*found);
  CHECK((*found)->user == std::string("ann\0", 4));
  CHECK((*found)->session_id == "s1");
  CHECK((*found)->session_config == "sealed:x");
  CHECK((*found)->expires_at == 99);
  CHECK_FALSE((*found)->revoked_at);
  for (const std::string& id : {std::string("cs_2"), std::string("a\0b", 3), std::string("\xff")}) {
    const auto none = find_token(fleet.connection, id);
    REQUIRE(none);
    CHECK_FALSE(*none);
  }
}

TEST_CASE("a revocation by any node is found by every node, and stays",
          "[P10][P14][fleet][tokens]") {
  OneNode fleet;
  fleet.ship("cs_1", std::nullopt);
  fleet.ship("cs_2", 7);
  CHECK(fleet.revoked(false) == std::vector<std::string>{"cs_2"});
  CHECK(revoke_token(fleet.connection, "cs_1", 8).value());
  CHECK_FALSE(revoke_token(fleet.connection, "cs_3", 8).value());
  CHECK(fleet.revoked(false) == std::vector<std::string>{"cs_1", "cs_2"});
  // Its own node has not followed it yet, and ships the token again.
  fleet.ship("cs_1", std::nullopt);
  CHECK(fleet.revoked(false) == std::vector<std::string>{"cs_1", "cs_2"});
  CHECK(find_token(fleet.connection, "cs_1").value()->revoked_at == 8);
  CHECK(revoke_token(fleet.connection, "cs_2", 9).value());
  CHECK(find_token(fleet.connection, "cs_2").value()->revoked_at == 7);
  // An older one is found by a node that connects.
  fleet.sql("UPDATE client_secret SET revocation_seen = now() - interval '1 day'");
  CHECK(fleet.revoked(false).empty());
  CHECK(fleet.revoked(true) == std::vector<std::string>{"cs_1", "cs_2"});
  CHECK(find_revoked(fleet.connection, true, "cs_1").value() == std::vector<std::string>{"cs_2"});
}

TEST_CASE("a token that ended with the erasure of its session does not count as revoked",
          "[P10][P14][fleet][tokens]") {
  OneNode fleet;
  fleet.ship("cs_1", 0);
  CHECK(fleet.revoked(true).empty());
  CHECK(find_token(fleet.connection, "cs_1").value()->revoked_at == 0);
}

}  // namespace verbatim::tokens
