// Client tokens in the store: which rows are kept, which are revoked, and when an expired token is
// still valid.
#include "storage/rows/client_tokens.hpp"

#include <catch2/catch.hpp>

#include "storage/rows/row_writer.hpp"
#include "storage/rows/transcript_store.hpp"
#include "storage/sqlite/database.hpp"
#include "tests/support/temp_dir.hpp"

using namespace verbatim;
using namespace verbatim::test;
using sqlite::Database;
using store::ClientToken;

namespace {

constexpr std::int64_t window = 100;

ClientToken token(const std::string& id, const std::string& session, TimeMs expires_at,
                  bool open = false) {
  ClientToken made;
  made.id = id;
  made.user = "ann";
  made.session_id = session;
  made.session_open = open;
  made.expires_at = expires_at;
  return made;
}

struct StoreWithTokens {
  TempDir dir;
  Database database{dir / "v.db", {.access = sqlite::Access::create}};

  transcript::AttemptId begin(const std::string& session, TimeMs at,
                              const std::string& user = "ann") {
    store::AttemptSpec spec;
    spec.session_id = session;
    spec.user = user;
    spec.now = at;
    return rows::insert_attempt(database, spec, 1).attempt;
  }
  void end(transcript::AttemptId attempt, TimeMs at) {
    transcript::Ending ending;
    ending.ended_at = at;
    rows::finalise_attempt(database, attempt, ending);
  }
  store::TokenStanding standing(const std::string& id, const std::string& session, bool bound,
                                TimeMs expires_at, TimeMs now) {
    return rows::token_standing(database, {id, session, bound, expires_at}, now, window);
  }
  std::vector<std::string> listed(TimeMs now, store::TokenFilter filter = {}) {
    std::vector<std::string> ids;
    for (const auto& one : rows::list_client_tokens(database, filter, now, window).tokens)
      ids.push_back(one.id);
    return ids;
  }
  bool kept(const std::string& id) { return standing(id, "none", false, 0, 0).stored.has_value(); }
};

using Ids = std::vector<std::string>;

}  // namespace

TEST_CASE("a token is stored with all its content", "[store][token]") {
  StoreWithTokens store;
  ClientToken made = token("cs_1", "s1", 500, true);
  made.session_config_json = R"({"voice":"x"})";
  made.terms_json = R"({"limits":{"tokens":5}})";
  made.private_json = R"({"case":"7"})";
  made.created_at = 400;
  rows::save_client_token(store.database, made);
  const auto found = store.standing("cs_1", "s1", true, 500, 450).stored;
  REQUIRE(found);
  CHECK(found->user == "ann");
  CHECK(found->session_id == "s1");
  CHECK(found->session_open);
  CHECK(found->session_config_json == made.session_config_json);
  CHECK(found->terms_json == made.terms_json);
  CHECK(found->private_json == made.private_json);
  CHECK(found->created_at == 400);
  CHECK(found->expires_at == 500);
  CHECK_FALSE(found->revoked_at);
}

TEST_CASE(
    "an expired token is valid for attempts that began before it expired, until they and their "
    "window end",
    "[P8][token]") {
  StoreWithTokens store;
  const auto goes_on = [&](TimeMs now) {
    return store.standing("cs_1", "s1", true, 500, now).goes_on;
  };
  CHECK_FALSE(goes_on(600));  // no attempt has begun
  const auto attempt = store.begin("s1", 490);
  CHECK(goes_on(600));
  CHECK(goes_on(1'000'000));
  rows::mark_attempt(store.database, attempt, transcript::SessionStatus::detached);
  CHECK(goes_on(1'000'000));
  store.end(attempt, 2000);
  CHECK(goes_on(2000 + window - 1));
  CHECK_FALSE(goes_on(2000 + window));
  store.begin("s1", 3000);  // by another token: this one had expired
  CHECK_FALSE(goes_on(3001));
}

TEST_CASE("a session that was made ahead, or only posted to, has not begun", "[token]") {
  StoreWithTokens store;
  rows::create_session(store.database, {.id = "s1", .user = "ann", .now = 1});
  const auto standing = store.standing("cs_1", "s1", true, 500, 600);
  CHECK(standing.owner == "ann");
  CHECK(standing.own);
  CHECK_FALSE(standing.goes_on);
}

TEST_CASE("an open token owns the sessions that it was used for", "[token]") {
  StoreWithTokens store;
  rows::save_client_token(store.database, token("cs_1", "made-up", 500, true));
  store.begin("s1", 490);
  CHECK_FALSE(store.standing("cs_1", "s1", false, 500, 600).own);
  rows::note_token_use(store.database, "cs_1", "s1");
  rows::note_token_use(store.database, "cs_1", "s1");
  rows::note_token_use(store.database, "cs_1", "no-such-session");
  CHECK(store.standing("cs_1", "s1", false, 500, 600).own);
  CHECK(store.standing("cs_1", "s1", false, 500, 600).goes_on);
  CHECK_FALSE(store.standing("cs_2", "s1", false, 500, 600).own);
  CHECK_FALSE(store.standing("", "s1", false, 500, 600).own);
}

TEST_CASE("a revoked token stays revoked, and is not listed", "[token][P10]") {
  StoreWithTokens store;
  rows::save_client_token(store.database, token("cs_1", "s1", 500));
  rows::save_client_token(store.database, token("cs_2", "s2", 500));
  CHECK(store.listed(100) == Ids{"cs_2", "cs_1"});
  CHECK_FALSE(rows::revoke_client_token(store.database, "cs_9", 100));
  CHECK(rows::revoke_client_token(store.database, "cs_1", 100));
  CHECK(rows::revoke_client_token(store.database, "cs_1", 200));
  CHECK(store.standing("cs_1", "s1", true, 500, 300).stored->revoked_at == 100);
  CHECK_FALSE(store.standing("cs_2", "s2", true, 500, 300).stored->revoked_at);
  CHECK(store.listed(300) == Ids{"cs_2"});
}

TEST_CASE("tokens are deleted when they have no further use, and not before", "[token][P8]") {
  StoreWithTokens store;
  rows::save_client_token(store.database, token("unused", "s0", 500));
  rows::save_client_token(store.database, token("bound", "s1", 500));
  rows::save_client_token(store.database, token("open", "made-up", 500, true));
  const auto one = store.begin("s1", 400);
  const auto two = store.begin("s2", 400);
  rows::note_token_use(store.database, "open", "s2");
  rows::revoke_client_token(store.database, "bound", 450);
  const auto prune = [&](TimeMs now) { rows::prune_client_tokens(store.database, now, window); };
  prune(499);
  CHECK(store.kept("unused"));
  CHECK(store.listed(499) == Ids{"open", "unused"});
  CHECK(store.listed(500) == Ids{"open"});
  prune(500);
  CHECK_FALSE(store.kept("unused"));
  CHECK(store.kept("bound"));  // its revocation must be known for as long as it would be valid
  CHECK(store.kept("open"));
  store.end(one, 600);
  store.end(two, 900);
  prune(600 + window);
  CHECK_FALSE(store.kept("bound"));
  CHECK(store.kept("open"));
  prune(900 + window - 1);
  CHECK(store.kept("open"));
  prune(900 + window);
  CHECK_FALSE(store.kept("open"));
  CHECK_FALSE(store.standing("open", "s2", false, 500, 600).own);
}

TEST_CASE("tokens are listed by user and session, page by page", "[token]") {
  StoreWithTokens store;
  for (int i = 0; i < 5; ++i)
    rows::save_client_token(store.database,
                            token("cs_" + std::to_string(i), "s" + std::to_string(i % 2), 500));
  ClientToken bobs = token("bobs", "s0", 500);
  bobs.user = "bob";
  rows::save_client_token(store.database, bobs);
  CHECK(store.listed(1, {.user = "bob"}) == Ids{"bobs"});
  CHECK(store.listed(1, {.user = "ann", .session_id = "s0"}) == Ids{"cs_4", "cs_2", "cs_0"});
  store::TokenFilter filter{.limit = 4};
  auto page = rows::list_client_tokens(store.database, filter, 1, window);
  CHECK(page.tokens.size() == 4);
  filter.cursor = page.next_cursor;
  CHECK(store.listed(1, filter) == Ids{"cs_1", "cs_0"});
  CHECK(rows::list_client_tokens(store.database, filter, 1, window).next_cursor.empty());
}

TEST_CASE("erasing a session deletes the content of the tokens made for it, and revokes them",
          "[token][P10]") {
  StoreWithTokens store;
  ClientToken made = token("cs_1", "s1", 500);
  made.session_config_json = R"({"instructions":"planted"})";
  made.private_json = R"({"case":"planted"})";
  rows::save_client_token(store.database, made);
  rows::save_client_token(store.database, token("open", "made-up", 500, true));
  store.end(store.begin("s1", 10), 20);
  rows::note_token_use(store.database, "open", "s1");
  REQUIRE(rows::erase_session(store.database, "s1"));
  const auto left = store.standing("cs_1", "s1", true, 500, 30).stored;
  REQUIRE(left);
  CHECK(left->revoked_at);
  CHECK(left->session_config_json.empty());
  CHECK(left->private_json == "{}");
  CHECK(left->user.empty());
  CHECK(left->session_id.empty());
  store.begin("s1", 40);
  CHECK_FALSE(store.standing("open", "s1", false, 500, 50).own);
  CHECK_FALSE(store.standing("open", "made-up", true, 500, 50).stored->revoked_at);
}

TEST_CASE("tokens of a removed key are revoked, and no others", "[P10][tokens]") {
  StoreWithTokens it;
  const auto made = [&it](const std::string& id, const std::string& key) {
    ClientToken one = token(id, "s" + id, 1'000);
    one.made_by = key;
    rows::save_client_token(it.database, one);
  };
  const auto revoked_at = [&it](const std::string& id) {
    return it.standing(id, "s" + id, true, 1'000, 10).stored->revoked_at;
  };
  made("a", "first");
  made("b", "second");
  made("c", "second");
  made("d", "");  // made by the command line or an older program
  rows::revoke_client_token(it.database, "c", 3);
  CHECK(rows::revoke_tokens_of_other_keys(it.database, {"first", "second"}, 5).empty());
  CHECK(rows::revoke_tokens_of_other_keys(it.database, {"first"}, 6) == Ids{"b"});
  CHECK_FALSE(revoked_at("a"));
  CHECK(revoked_at("b") == 6);
  CHECK(revoked_at("c") == 3);
  CHECK_FALSE(revoked_at("d"));
  // The key returns: its revoked tokens stay revoked.
  CHECK(rows::revoke_tokens_of_other_keys(it.database, {"first", "second"}, 7).empty());
  CHECK(revoked_at("b") == 6);
  CHECK(rows::revoke_tokens_of_other_keys(it.database, {}, 8) == Ids{"a"});
  CHECK_FALSE(revoked_at("d"));
}

TEST_CASE(
    "content that an older program stored unsealed for a token is erased with the token's last "
    "session",
    "[token][P10][erase]") {
  StoreWithTokens store;
  const auto add = [&](const std::string& id, const std::string& config,
                       const std::string& kept_private) {
    ClientToken made = token(id, "own-of-" + id, 500, true);
    made.session_config_json = config;
    made.private_json = kept_private;
    rows::save_client_token(store.database, made);
  };
  const std::string clear = R"({"instructions":"planted"})";
  add("config", clear, "{}");
  add("private", "", R"({"case":"planted"})");
  add("sealed", "sealed:AAAA", "sealed:BBBB");
  add("nothing", "", "{}");
  add("two", clear, "{}");
  add("own", clear, "{}");
  store.end(store.begin("s1", 10), 20);
  store.end(store.begin("s2", 10), 20);
  store.end(store.begin("own-of-own", 10), 20);
  for (const char* id : {"config", "private", "sealed", "nothing", "two", "own"})
    rows::note_token_use(store.database, id, "s1");
  rows::note_token_use(store.database, "two", "s2");

  REQUIRE(rows::erase_session(store.database, "s1"));
  const auto stored = [&](const std::string& id) {
    return *store.standing(id, "none", false, 0, 0).stored;
  };
  for (const char* id : {"config", "private"}) {
    CHECK(stored(id).revoked_at);
    CHECK(stored(id).session_config_json.empty());
    CHECK(stored(id).private_json == "{}");
    CHECK(stored(id).user.empty());
  }
  for (const char* id : {"sealed", "nothing", "two", "own"}) CHECK_FALSE(stored(id).revoked_at);
  CHECK(stored("sealed").private_json == "sealed:BBBB");
  CHECK(stored("two").session_config_json == clear);  // the other session uses it too
  CHECK(stored("own").session_config_json == clear);

  REQUIRE(rows::erase_session(store.database, "s2"));
  CHECK(stored("two").revoked_at);
  CHECK(stored("two").session_config_json.empty());
  REQUIRE(rows::erase_session(store.database, "own-of-own"));
  CHECK(stored("own").session_config_json.empty());
}
