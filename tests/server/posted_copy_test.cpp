// What writers post, and what makes a session: read, or refused with the place.
#include "server/posted_copy.hpp"

#include <catch2/catch.hpp>

#include "server/session_queries.hpp"
#include "server/session_request.hpp"
#include "session/render.hpp"

using namespace verbatim;
using namespace verbatim::server;
using session::Role;
using session::TurnStatus;

namespace {

const config::Posts limits{.turns_max = 3, .turn_bytes_max = 16};

PostedBody read(const std::string& body) {
  auto posted = read_posted_copy(body, limits);
  const auto* refused = std::get_if<HttpResponse>(&posted);
  INFO((refused ? refused->body : ""));
  REQUIRE_FALSE(refused);
  return std::get<PostedBody>(posted);
}

/// Status and detail.
std::pair<int, std::string> refusal(const std::string& body) {
  auto posted = read_posted_copy(body, limits);
  const auto* refused = std::get_if<HttpResponse>(&posted);
  return refused ? std::pair(refused->status, refused->body) : std::pair(200, std::string());
}

}  // namespace

TEST_CASE("a copy is read under the names of the interface and of the replaced product", "[http]") {
  const PostedBody ours = read(
      R"({"writer":"agent","attempt":2,"turns":[{"role":"user","text":"Hi","item_id":"i1",
          "ordinal":3,"status":"interrupted","started_at":"2026-11-23T21:50:51Z"}]})");
  const PostedBody theirs = read(
      R"({"writer":"agent","attemptNumber":2,"turns":[{"role":"human","content":"Hi","itemId":"i1",
          "turnOrder":3,"status":"interrupted","startedAt":1795470651,"attemptNumber":2}]})");
  CHECK(ours.attempt == 2);
  CHECK(ours.writer == "agent");
  REQUIRE(ours.turns.size() == 1);
  CHECK(ours.turns[0].role == Role::user);
  CHECK(ours.turns[0].text.utf8() == "Hi");
  CHECK(ours.turns[0].item_id == "i1");
  CHECK(ours.turns[0].ordinal == 3);
  CHECK(ours.turns[0].status == TurnStatus::interrupted);
  CHECK(ours.turns[0].started_at == 1'795'470'651'000);
  CHECK(theirs.turns == ours.turns);
  CHECK(theirs.attempt == ours.attempt);
}

TEST_CASE("one turn alone, a list and an object are three ways to say the same", "[http]") {
  const std::string turn = R"({"role":"assistant","content":"Yes"})";
  const auto alone = read(turn);
  CHECK(alone.turns.size() == 1);
  CHECK(read("[" + turn + "]").turns == alone.turns);
  CHECK(read(R"({"turns":[)" + turn + "]}").turns == alone.turns);
  CHECK_FALSE(alone.attempt);
  CHECK(alone.writer.empty());
  CHECK(alone.turns[0].status == TurnStatus::completed);
}

TEST_CASE("every name of a role has its side", "[http]") {
  const auto role = [](const std::string& name) {
    return read(R"({"role":")" + name + R"(","text":"x"})").turns[0].role;
  };
  for (const char* name : {"user", "human"}) CHECK(role(name) == Role::user);
  for (const char* name : {"assistant", "agent", "ai", "bot", "model"})
    CHECK(role(name) == Role::assistant);
  for (const char* name : {"system", "developer"}) CHECK(role(name) == Role::system);
}

TEST_CASE("what is wrong with a copy is answered with its place", "[http][P11]") {
  const auto turn = [](const std::string& rest) {
    return R"({"turns":[{"role":"user","text":"a"},{"role":"user")" + rest + "}]}";
  };
  const std::tuple<std::string, int, std::string> cases[] = {
      {R"({"turns":[)", 400, "at byte"},
      {"7", 400, "must be an object"},
      {R"({"turns":7})", 400, "turns must be a list"},
      {R"({"turns":[7]})", 400, "turns[0] must be an object"},
      {R"({"turns":[],"attempt":0})", 400, "attempt must be"},
      {R"({"turns":[],"attempt":1.5})", 400, "attempt must be"},
      {R"({"turns":[],"attempt":18446744073709551615})", 400, "attempt must be"},
      {R"({"turns":[],"writer":7})", 400, "writer must be"},
      {R"({"role":"dog","text":"x"})", 400, "role must be"},
      {turn(""), 400, "turns[1].text is missing"},
      {turn(R"(,"text":7)"), 400, "turns[1].text must be"},
      {turn(R"(,"text":"\ud800")"), 400, "half a character"},
      {turn(R"(,"text":"12345678901234567")"), 413, "posts.turn_bytes_max"},
      {turn(R"(,"text":"x","ordinal":-1)"), 400, "turns[1].ordinal"},
      {turn(R"(,"text":"x","status":"odd")"), 400, "turns[1].status"},
      {turn(R"(,"text":"x","started_at":"noon")"), 400, "turns[1].started_at"},
      {turn(R"(,"text":"x","ended_at":9000000000000000000)"), 400, "turns[1].ended_at"},
      {turn(R"(,"text":"x","item_id":")" + std::string(129, 'i') + "\""), 400, "turns[1].item_id"},
      {R"([{"role":"user","text":"x","attemptNumber":1},
           {"role":"user","text":"x","attemptNumber":2}])",
       400, "turns[1].attemptNumber"},
      {R"([{"role":"user","text":"1"},{"role":"user","text":"2"},{"role":"user","text":"3"},
           {"role":"user","text":"4"}])",
       413, "posts.turns_max"},
      // Counted before a tree is built, which would find the half character.
      {R"([{"text":"\ud800"},0,0,0])", 413, "posts.turns_max"},
      {R"({"turns":[{"text":"\ud800"},0,0,0]})", 413, "posts.turns_max"},
      {std::string(500'000, '['), 400, "at byte"},
  };
  for (const auto& [body, status, detail] : cases) {
    INFO(body.substr(0, 200));
    const auto [answered, text] = refusal(body);
    CHECK(answered == status);
    CHECK_THAT(text, Catch::Contains(detail));
  }
}

TEST_CASE("a time that is posted can be shown and read again", "[http]") {
  const auto latest = read(R"({"role":"user","text":"x","started_at":253402300799000})");
  const auto time = latest.turns[0].started_at;
  REQUIRE(time);
  CHECK(parse_time(session::iso_time(*time)) == time);
  CHECK(refusal(R"({"role":"user","text":"x","started_at":253402300800000})").first == 400);
}

TEST_CASE("a body that makes a session is read, or refused", "[http]") {
  constexpr std::size_t most = 64;
  const auto asked = std::get<SessionRequest>(
      read_session_request(R"({"id":"s-1","user":"ann","metadata":{"course":"7"}})", most));
  CHECK(asked.session_id == "s-1");
  CHECK(asked.user == "ann");
  CHECK(asked.metadata == R"({"course":"7"})");
  CHECK(std::get<SessionRequest>(read_session_request("", most)).metadata == "{}");
  const std::pair<std::string, int> cases[] = {
      {"{", 400},
      {"[]", 400},
      {R"({"id":""})", 400},
      {R"({"id":"a b"})", 400},
      {R"({"user":7})", 400},
      {R"({"user":""})", 400},
      {R"({"metadata":[]})", 400},
      {R"({"color":1})", 400},
      {R"({"user":"\ud800"})", 400},
      {R"({"metadata":{"x":")" + std::string(64, 'x') + "\"}}", 413},
      {R"({"metadata":)" + std::string(500'000, '['), 400},
  };
  for (const auto& [body, status] : cases) {
    INFO(body.substr(0, 200));
    const auto read = read_session_request(body, most);
    const auto* refused = std::get_if<HttpResponse>(&read);
    REQUIRE(refused);
    CHECK(refused->status == status);
  }
}
