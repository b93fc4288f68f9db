// Which sessions a client token may open and read, from its claims and from the store.
#include "server/relay/access/token_judgement.hpp"

#include <catch2/catch.hpp>

using namespace verbatim;
using namespace verbatim::access;
using verbatim::store::ClientToken;
using verbatim::store::TokenStanding;

namespace {

struct Case {
  TokenClaims claims;
  TokenStanding standing;
  bool expired = false;
  bool resumes = true;

  Case() {
    claims.id = "cs_1";
    claims.user = "ann";
    claims.session_id = "s1";
    standing.stored = ClientToken();
    standing.owner = "ann";
    standing.own = true;
    standing.goes_on = true;
  }
  int use() const {
    const auto refused = refuse_use(claims, expired, standing);
    return refused ? refused->status : 200;
  }
  int open() const {
    const auto refused = refuse_opening(claims, expired, resumes, standing);
    return refused ? refused->status : 101;
  }
};

}  // namespace

TEST_CASE("a token is valid for its own session, also before that exists", "[auth]") {
  Case it;
  CHECK(it.use() == 200);
  CHECK(it.open() == 101);
  it.standing.owner = std::nullopt;  // the session does not exist yet
  it.standing.goes_on = false;
  CHECK(it.use() == 404);
  CHECK(it.open() == 101);
}

TEST_CASE("a token is not valid for another user's session, expired or not", "[auth][P10]") {
  Case it;
  it.standing.owner = "bob";
  CHECK(it.use() == 404);
  CHECK(it.open() == 404);
  it.expired = true;
  CHECK(it.use() == 401);
  CHECK(it.open() == 401);
}

TEST_CASE("a token opens other sessions of its user and reads those that it has opened", "[auth]") {
  Case it;
  it.standing.own = false;
  it.standing.goes_on = false;
  CHECK(it.use() == 404);
  CHECK(it.open() == 101);
  it.expired = true;
  CHECK(it.use() == 401);
  CHECK(it.open() == 401);
}

TEST_CASE("an expired token is valid for a running session, if there is one to resume",
          "[auth][P8]") {
  Case it;
  it.expired = true;
  CHECK(it.use() == 200);
  CHECK(it.open() == 101);
  it.resumes = false;
  CHECK(it.use() == 200);
  CHECK(it.open() == 401);
  it.resumes = true;
  it.standing.goes_on = false;
  CHECK(it.use() == 401);
  CHECK(it.open() == 401);
}

TEST_CASE("a revoked token is valid for nothing", "[auth][P10]") {
  for (const bool expired : {false, true}) {
    Case it;
    it.expired = expired;
    it.standing.stored->revoked_at = 1;
    CHECK(it.use() == 401);
    CHECK(it.open() == 401);
    CHECK(refuse_use(it.claims, expired, it.standing)->code == "token_revoked");
  }
}

TEST_CASE("a token whose content is missing is refused, a token without content is not", "[auth]") {
  Case it;
  it.standing.stored.reset();
  CHECK(it.open() == 101);  // another server with the same secret made it
  it.claims.configured = true;
  CHECK(it.use() == 401);
  CHECK(it.open() == 401);
}

TEST_CASE("a token is bound to the session that it names, to no other", "[auth]") {
  const Case it;
  CHECK(use_of(it.claims, "s1").bound);
  CHECK_FALSE(use_of(it.claims, "s2").bound);
  CHECK(use_of(it.claims, "s2").id == "cs_1");
}
