// Bodies of posted copies and of new sessions: they are read, or refused with the place of the
// error.
#include "server/api/requests/posted_copy.hpp"

#include <catch2/catch.hpp>

#include "server/api/requests/queries.hpp"
#include "server/api/requests/session.hpp"
#include "session/transcript/render/render.hpp"

using namespace verbatim;
using namespace verbatim::requests;
using transcript::Role;
using transcript::TurnStatus;

namespace {

const config::Posts limits = [] {
  config::Posts few = config::Settings().posts;
  few.turns_max = 3;
  few.turn_bytes_max = 16;
  return few;
}();

PostedBody posted_copy(const std::string& body) {
  auto posted = read_posted_copy(body, limits);
  INFO((posted ? "" : posted.error().body));
  REQUIRE(posted);
  return *posted;
}

/// Returns the status and the detail.
std::pair<int, std::string> refused_copy(const std::string& body) {
  auto posted = read_posted_copy(body, limits);
  return posted ? std::pair(200, std::string())
                : std::pair(posted.error().status, posted.error().body);
}

}  // namespace

TEST_CASE("a copy is read under the names of the interface and of the replaced product", "[http]") {
  const PostedBody ours = posted_copy(
      R"({"writer":"agent","attempt":2,"turns":[{"role":"user","text":"Hi","item_id":"i1",
          "ordinal":3,"status":"interrupted","started_at":"2026-11-23T21:50:51Z"}]})");
  const PostedBody theirs = posted_copy(
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

TEST_CASE("one turn, a list and an object are three forms of the same post", "[http]") {
  const std::string turn = R"({"role":"assistant","content":"Yes"})";
  const auto alone = posted_copy(turn);
  CHECK(alone.turns.size() == 1);
  CHECK(posted_copy("[" + turn + "]").turns == alone.turns);
  CHECK(posted_copy(R"({"turns":[)" + turn + "]}").turns == alone.turns);
  CHECK_FALSE(alone.attempt);
  CHECK(alone.writer.empty());
  CHECK(alone.turns[0].status == TurnStatus::completed);
}

TEST_CASE("every name of a role has its side, in any case", "[http]") {
  const auto role = [](const std::string& name) {
    return posted_copy(R"({"role":")" + name + R"(","text":"x"})").turns[0].role;
  };
  for (const char* name : {"user", "human", "USER", "Human"}) CHECK(role(name) == Role::user);
  for (const char* name : {"assistant", "agent", "ai", "bot", "model", "Assistant", "AI"})
    CHECK(role(name) == Role::assistant);
}

TEST_CASE("words are a string, a list of strings, or parts of text and of audio", "[http][P3]") {
  const std::pair<const char*, const char*> cases[] = {
      {R"("Good day")", "Good day"},
      {R"([])", nullptr},
      {R"(["Good day"])", "Good day"},
      {R"(["Good","day"])", "Good\nday"},
      {R"([{"type":"input_text","text":"Good day"}])", "Good day"},
      {R"([{"type":"output_text","text":"Good day","annotations":[]}])", "Good day"},
      {R"([{"type":"text","text":"Good day"}])", "Good day"},
      {R"([{"type":"text","text":{"value":"Good day"}}])", "Good day"},
      {R"([{"type":"input_audio","transcript":"Good day","audio":"AAAA"}])", "Good day"},
      {R"([{"type":"output_audio","transcript":"Good day"}])", "Good day"},
      {R"([{"type":"audio","transcript":"Good day"}])", "Good day"},
      {R"([{"type":"input_image","image_url":"data:"},{"type":"input_text","text":"this"}])",
       "this"},
      {R"(["Good",{"type":"image"},{"type":"text","text":"day"}])", "Good\nday"},
      {R"([{"type":"refusal","refusal":"No."}])", "No."},
      {R"({"type":"text","text":"Good day"})", "Good day"},
      {R"([{"type":"input_audio","transcript":null}])", nullptr},
      {R"([{"type":"input_image","image_url":"data:"}])", nullptr},
      {R"([7,[],{}])", nullptr},
      {"7", nullptr},
      {"null", nullptr},
  };
  for (const auto& [content, words] : cases) {
    for (const char* name : {"content", "text"}) {
      INFO(name << " " << content);
      const PostedBody copy = posted_copy(std::string(R"({"turns":[{"role":"user",")") + name +
                                          "\":" + content + "}]}");
      REQUIRE(copy.turns.size() == (words ? 1 : 0));
      CHECK(copy.skipped.size() == (words ? 0 : 1));
      if (words) CHECK(copy.turns[0].text.utf8() == words);
    }
  }
  const std::pair<const char*, const char*> more[] = {
      {R"([["a"],"b"])", "a\nb"},
      {R"([[[["a"]]],{"text":["b"]}])", "a\nb"},
      {R"([{"type":"text","content":"a"},{"value":"b"}])", "a\nb"},
      {R"({"type":"text","text":"","transcript":"a"})", "a"},
      {R"([{"type":"tool_result","content":"12"},"a"])", "a"},
      {R"(["a",null,{"type":"input_audio","transcript":null}])", "a"},
  };
  for (const auto& [content, words] : more) {
    INFO(content);
    const PostedBody copy =
        posted_copy(std::string(R"({"turns":[{"role":"user","content":)") + content + "}]}");
    REQUIRE(copy.turns.size() == 1);
    CHECK(copy.turns[0].text.utf8() == words);
    CHECK(copy.skipped.empty());
  }
  const PostedBody spoken = posted_copy(
      R"({"turns":[{"role":"assistant","content":null,"audio":{"transcript":"Hello"}}]})");
  REQUIRE(spoken.turns.size() == 1);
  CHECK(spoken.turns[0].text.utf8() == "Hello");
}

TEST_CASE("words beside an empty field are kept, and words that are left out are named",
          "[http][P3]") {
  const std::tuple<const char*, const char*, const char*> cases[] = {
      {R"("text":"","content":"d")", "d", ""},
      {R"("text":"","transcript":"d")", "d", ""},
      {R"("text":[],"content":["d"])", "d", ""},
      {R"("content":[{"type":"image"}],"transcript":"d")", "d", ""},
      {R"("content":"","audio":{"transcript":"d"})", "d", ""},
      {R"("text":"d","content":[{"type":"text","text":"d"}])", "d", ""},
      {R"("text":"d","content":"")", "d", ""},
      {R"("text":"","content":"")", "", ""},
      {R"("text":"d","content":"e")", "d", "content was left out"},
      {R"("content":"d","audio":{"transcript":"e"})", "d", "audio was left out"},
      {R"("text":7,"content":"d")", "d", "part of text was left out"},
      {R"("content":["d",7])", "d", "part of content was left out"},
      {R"("content":["d",true,{"speech":"e"}])", "d", "part of content was left out"},
  };
  for (const auto& [fields, words, why] : cases) {
    INFO(fields);
    const PostedBody copy =
        posted_copy(std::string(R"({"turns":[{"role":"user",)") + fields + "}]}");
    REQUIRE(copy.turns.size() == 1);
    CHECK(copy.turns[0].text.utf8() == words);
    REQUIRE(copy.skipped.size() == (*why == 0 ? 0 : 1));
    if (*why != 0) CHECK_THAT(copy.skipped[0].why, Catch::Contains(why));
  }
}

TEST_CASE("history entries that are not turns are skipped and listed", "[http][P3]") {
  config::Posts all = limits;
  all.turns_max = 20;
  const auto posted = read_posted_copy(R"({"turns":[
      {"role":"system","content":"Be kind."},
      {"role":"Developer","content":"Be brief."},
      {"role":"user","content":"Weather?"},
      {"role":"assistant","content":null,"tool_calls":[{"id":"c1"}]},
      {"role":"assistant","content":"","tool_calls":[{"id":"c1"}]},
      {"role":"tool","tool_call_id":"c1","content":"12"},
      {"role":"function","name":"f","content":"12"},
      {"type":"function_call","call_id":"c1","name":"f","arguments":"{}"},
      {"type":"function_call_output","call_id":"c1","output":"12"},
      {"type":"message","id":"item_7","role":"assistant","content":["Twelve."],"interrupted":true},
      {"role":"assistant","content":"Twelve degrees","tool_calls":[{"id":"c2"}]}]})",
                                       all);
  REQUIRE(posted);
  const PostedBody* const copy = &*posted;
  REQUIRE(copy->turns.size() == 3);
  CHECK(copy->turns[1].item_id == "item_7");
  CHECK(copy->turns[1].status == TurnStatus::interrupted);
  std::vector<std::size_t> skipped;
  for (const Skipped& one : copy->skipped) {
    CHECK_FALSE(one.why.empty());
    skipped.push_back(one.index);
  }
  CHECK(skipped == std::vector<std::size_t>{0, 1, 3, 4, 5, 6, 7, 8});
}

TEST_CASE("an unreadable turn or field is left out and named", "[http][P3]") {
  enum Costs { turn, field };
  const std::tuple<const char*, Costs, const char*> cases[] = {
      {"7", turn, "object"},
      {"null", turn, "object"},
      {R"({})", turn, "role is missing"},
      {R"({"role":"dog","text":"x"})", turn, "role must be"},
      {R"({"role":7,"text":"x"})", turn, "role must be"},
      {R"({"role":"user"})", turn, "text is missing"},
      {R"({"role":"user","text":7})", turn, "text must be"},
      {R"({"role":"user","text":"12345678901234567"})", turn, "posts.turn_bytes_max"},
      {R"({"role":"user","content":["123456789","12345678"]})", turn, "posts.turn_bytes_max"},
      {R"({"role":"user","text":"x","n":1e999})", turn, "too large"},
      {R"({"role":"user","text":"x","attemptNumber":2})", turn, "attemptNumber"},
      {R"({"role":"user","text":"x","ordinal":-1})", field, "ordinal"},
      {R"({"role":"user","text":"x","ordinal":1.5})", field, "ordinal"},
      {R"({"role":"user","text":"x","ordinal":18446744073709551615})", field, "ordinal"},
      {R"({"role":"user","text":"x","turnOrder":"first"})", field, "ordinal"},
      {R"({"role":"user","text":"x","ordinal":[]})", field, "ordinal"},
      {R"({"role":"user","text":"x","status":"odd"})", field, "status"},
      {R"({"role":"user","text":"x","status":7})", field, "status"},
      {R"({"role":"user","text":"x","started_at":"noon"})", field, "started_at"},
      {R"({"role":"user","text":"x","started_at":true})", field, "started_at"},
      {R"({"role":"user","text":"x","ended_at":-1})", field, "ended_at"},
      {R"({"role":"user","text":"x","started_at":1700000002,"ended_at":1700000001})", field,
       "ended_at"},
      {R"({"role":"user","text":"x","item_id":{}})", field, "item_id"},
  };
  const std::string good = R"({"role":"user","text":"good"})";
  for (const auto& [given, costs, why] : cases) {
    INFO(given);
    const PostedBody copy =
        posted_copy(R"({"attempt":1,"turns":[)" + good + "," + given + "," + good + "]}");
    CHECK(copy.turns.size() == (costs == turn ? 2 : 3));
    REQUIRE(copy.skipped.size() == 1);
    CHECK(copy.skipped[0].index == 1);
    CHECK_THAT(copy.skipped[0].why, Catch::Contains(why));
    CHECK(copy.turns.back().text.utf8() == "good");
    if (costs == field) CHECK(copy.turns[1].text.utf8() == "x");
  }
  const std::string long_id(129, 'i');
  const PostedBody copy =
      posted_copy(R"({"turns":[{"role":"user","text":"x","item_id":")" + long_id + R"("}]})");
  REQUIRE(copy.turns.size() == 1);
  CHECK(copy.turns[0].item_id.empty());
  CHECK(copy.skipped.size() == 1);
}

TEST_CASE("numbers may be written as strings, and null counts as absent", "[http]") {
  const PostedBody copy = posted_copy(
      R"({"attempt":"2","turns":[{"role":"user","text":"x","turnOrder":"3","attemptNumber":"2",
          "item_id":null,"status":null,"started_at":null,"ended_at":null},
         {"role":"user","text":"y","ordinal":4.0,"item_id":17}]})");
  CHECK(copy.attempt == 2);
  REQUIRE(copy.turns.size() == 2);
  CHECK(copy.turns[0].ordinal == 3);
  CHECK(copy.turns[0].status == TurnStatus::completed);
  CHECK(copy.turns[1].ordinal == 4);
  CHECK(copy.turns[1].item_id == "17");
  CHECK(copy.skipped.empty());
  CHECK(posted_copy(R"({"turns":[]})").turns.empty());
}

TEST_CASE("half a character becomes the replacement character, a whole one stays", "[http][P3]") {
  const std::pair<const char*, const char*> cases[] = {
      {R"("a\ud83d")", "a�"},      {R"("\ude00b")", "�b"},
      {R"("\ud83d\ude00")", "😀"},  {R"("\uD83D\uD83D\uDE00")", "�😀"},
      {R"("\ude00\ud83d")", "��"}, {R"("\\ud83d")", "\\ud83d"},
      {R"("\\\ud83d")", "\\�"},    {R"(["\ud83d","x"])", "�\nx"},
  };
  for (const auto& [given, words] : cases) {
    INFO(given);
    const PostedBody copy =
        posted_copy(std::string(R"({"turns":[{"role":"user","text":)") + given + "}]}");
    REQUIRE(copy.turns.size() == 1);
    CHECK(copy.turns[0].text.utf8() == words);
    CHECK(copy.skipped.empty());
  }
}

TEST_CASE("a body is refused as a whole only if it is not a copy", "[http][P11]") {
  const std::tuple<std::string, int, std::string> cases[] = {
      {R"({"turns":[)", 400, "at byte"},
      {"7", 400, "must be an object"},
      {"{}", 400, "turns is missing"},
      {R"({"writer":"agent"})", 400, "turns is missing"},
      {R"({"turns":null,"writer":"agent"})", 400, "turns is missing"},
      {R"({"turns":7})", 400, "turns must be a list"},
      {R"({"turns":[],"attempt":0})", 400, "attempt must be"},
      {R"({"turns":[],"attempt":1.5})", 400, "attempt must be"},
      {R"({"turns":[],"attempt":18446744073709551615})", 400, "attempt must be"},
      {R"({"turns":[],"writer":7})", 400, "writer must be"},
      {"[{\"role\":\"user\",\"text\":\"\xff\"}]", 400, "at byte"},
      // A single turn has no others that must be kept.
      {R"({"role":"dog","text":"x"})", 400, "role must be"},
      {R"({"role":"user","text":"12345678901234567"})", 413, "posts.turn_bytes_max"},
      {R"([{"role":"user","text":"1"},{"role":"user","text":"2"},{"role":"user","text":"3"},
           {"role":"user","text":"4"}])",
       413, "posts.turns_max"},
      {R"({"tur\u006es":[0,0,0,0]})", 413, "posts.turns_max"},
      {R"({"turns":[],"turns":[0,0,0,0]})", 413, "posts.turns_max"},
      {std::string(500'000, '['), 400, "at byte"},
  };
  for (const auto& [body, status, detail] : cases) {
    INFO(body.substr(0, 200));
    const auto [answered, text] = refused_copy(body);
    CHECK(answered == status);
    CHECK_THAT(text, Catch::Contains(detail));
  }
}

TEST_CASE("a time is read in each form in which writers have it, to the millisecond", "[http]") {
  constexpr TimeMs noon = 1'795'470'651'000;  // 2026-11-23T21:50:51Z
  const std::pair<const char*, TimeMs> cases[] = {
      {R"("2026-11-23T21:50:51Z")", noon},
      {R"("2026-11-23T21:50:51.123Z")", noon + 123},
      {R"("2026-11-23T21:50:51.123456789Z")", noon + 123},
      {R"("2026-11-23T21:50:51.5+00:00")", noon + 500},
      {R"("2026-11-23T23:50:51.007+02:00")", noon + 7},
      {R"("2026-11-23T16:20:51-0530")", noon},
      {R"("2026-11-24T03:20:51+05:30")", noon},
      {R"("2026-11-23t21:50:51z")", noon},
      {R"("2026-11-23 21:50:51.25")", noon + 250},
      {R"("2026-11-23T21:50:51")", noon},
      {R"("2026-11-23T21:50Z")", noon - 51'000},
      {R"("2026-11-23")", 1'795'392'000'000},
      {"1795470651", noon},
      {"1795470651.123", noon + 123},
      {"1795470651123", noon + 123},
      {"1795470651123.7", noon + 123},
      {"1795470651123456", noon + 123},
      {"1795470651123456789", noon + 123},
      {R"("1795470651")", noon},
      {R"("1795470651.123")", noon + 123},
      {R"("1795470651123")", noon + 123},
      {"253402300799000", 253'402'300'799'000},
  };
  for (const auto& [given, time] : cases) {
    INFO(given);
    const PostedBody copy = posted_copy(
        std::string(R"({"turns":[{"role":"user","text":"x","started_at":)") + given + "}]}");
    REQUIRE(copy.turns.size() == 1);
    REQUIRE(copy.turns[0].started_at);
    CHECK(*copy.turns[0].started_at == time);
    CHECK(parse_time(iso_time(time)));
  }
  for (const char* given :
       {R"("")", R"("2026-11-23T")", R"("2026-13-23")", R"("2026-02-30T00:00:00Z")",
        R"("2026-11-23T24:00:00Z")", R"("2026-11-23T21:50:51.Z")", R"("2026-11-23T21:50:51+1")",
        R"("2026-11-23T21:50:51Zx")", R"("1969-12-31T23:59:59Z")", R"("nan")", R"("inf")", "-1",
        "253402300800000", "1e300"}) {
    INFO(given);
    const PostedBody copy = posted_copy(
        std::string(R"({"turns":[{"role":"user","text":"x","started_at":)") + given + "}]}");
    REQUIRE(copy.turns.size() == 1);
    CHECK_FALSE(copy.turns[0].started_at);
    CHECK(copy.skipped.size() == 1);
  }
}

TEST_CASE("a body that makes a session is read, or refused", "[http]") {
  const SessionRequest asked =
      read_session_request(
          R"({"id":"s-1","user":"ann","metadata":{"course":"7"},"private":{"grade":"B"}})")
          .value();
  CHECK(asked.session_id == "s-1");
  CHECK(asked.user == "ann");
  CHECK(asked.metadata == R"({"course":"7"})");
  CHECK(asked.private_metadata == R"({"grade":"B"})");
  CHECK(read_session_request("").value().metadata == "{}");
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
      {R"({"private":"x"})", 400},
      {R"({"metadata":{"x":")" + std::string(metadata_bytes_max, 'x') + "\"}}", 413},
      {R"({"private":{"x":")" + std::string(metadata_bytes_max, 'x') + "\"}}", 413},
      {R"({"metadata":)" + std::string(500'000, '['), 400},
  };
  for (const auto& [body, status] : cases) {
    INFO(body.substr(0, 200));
    const auto read = read_session_request(body);
    REQUIRE_FALSE(read);
    CHECK(read.error().status == status);
  }
}

TEST_CASE("a time that is posted keeps its milliseconds", "[http][times]") {
  for (const char* at : {R"("2026-11-23T21:50:51.123Z")", "1795470651123"}) {
    INFO(at);
    const auto copy =
        posted_copy(std::string(R"({"role":"user","text":"x","ended_at":)") + at + "}");
    CHECK(copy.turns[0].ended_at == 1'795'470'651'123);
  }
}
