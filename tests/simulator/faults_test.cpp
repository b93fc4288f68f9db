// Each fault does what docs/simulator.md says, and not before its time.
#include <algorithm>
#include <catch2/catch.hpp>
#include <stdexcept>

#include "simulator/faults.hpp"
#include "tests/simulator/client.hpp"

namespace verbatim::simulator::test {

namespace {

constexpr const char* failed_event = "conversation.item.input_audio_transcription.failed";
constexpr const char* delta = "conversation.item.input_audio_transcription.delta";

/// One spoken turn at the provider's pace.
Client spoken_turn(const std::string& model) {
  Client client(model);
  client.transcribe();
  client.say(2'000);
  client.pause(300);
  return client;
}

}  // namespace

TEST_CASE("drop_after cuts the socket without a close frame", "[P2][simulator]") {
  Client client("gpt-realtime+drop_after=9");
  client.type("Hello?");
  client.respond();
  client.wait(60'000);
  CHECK(client.events.size() == 9);
  REQUIRE(client.endings.size() == 1);
  CHECK(client.endings[0].kind == Action::Kind::drop);
  CHECK_FALSE(client.next_due());
  client.type("Still there?");
  CHECK(client.events.size() == 9);
}

TEST_CASE("close_after closes with its code and reason", "[P2][simulator]") {
  Client client("gpt-realtime+close_after=3:1011:going away: soon");
  client.type("Hello?");
  client.respond();
  client.wait(60'000);
  CHECK(client.events.size() == 3);
  REQUIRE(client.endings.size() == 1);
  CHECK(client.endings[0].kind == Action::Kind::close);
  CHECK(client.endings[0].close_code == 1011);
  CHECK(client.endings[0].close_reason == "going away: soon");
}

TEST_CASE("hang_after sends nothing more and answers nothing", "[P2][simulator]") {
  Client client("gpt-realtime+hang_after=4");
  client.type("Hello?");
  client.respond();
  client.wait(60'000);
  client.send_raw("{");
  CHECK(client.events.size() == 4);
  REQUIRE(client.endings.size() == 1);
  CHECK(client.endings[0].kind == Action::Kind::hang);
}

TEST_CASE("a silent provider sends nothing", "[P2][simulator]") {
  Client client("gpt-realtime+silent");
  client.type("Hello?");
  client.wait(60'000);
  CHECK(client.events.empty());
  REQUIRE(client.endings.size() == 1);
  CHECK(client.endings[0].kind == Action::Kind::hang);
}

TEST_CASE("late_transcription sends the user's text after the answer", "[P4][simulator]") {
  Client client = spoken_turn("gpt-realtime+late_transcription=30000");
  client.wait(29'900);
  CHECK(client.all("response.done").size() == 1);
  CHECK(client.all(completed).empty());
  client.wait(1'000);
  CHECK(client.all(completed).size() == 1);
}

TEST_CASE("fail_transcription fails every utterance", "[P13][simulator]") {
  Client client = spoken_turn("gpt-realtime+fail_transcription");
  client.wait(30'000);
  const Json failed = client.last("conversation.item.input_audio_transcription.failed");
  CHECK(failed["item_id"] == client.last("input_audio_buffer.committed")["item_id"]);
  CHECK(failed["error"]["code"] == "audio_unintelligible");
  CHECK(client.all(completed).empty());
  CHECK(client.all(delta).empty());
  CHECK(client.all("response.done").size() == 1);
}

TEST_CASE("empty_transcription understands nothing", "[P13][simulator]") {
  Client client = spoken_turn("gpt-realtime+empty_transcription");
  client.wait(30'000);
  REQUIRE(client.all(completed).size() == 1);
  CHECK(client.last(completed)["transcript"] == "");
  CHECK(client.all(delta).empty());
}

TEST_CASE("no_transcription_deltas gives the whole only", "[simulator]") {
  Client client = spoken_turn("gpt-realtime+no_transcription_deltas");
  client.wait(30'000);
  CHECK(client.all(delta).empty());
  CHECK_FALSE(client.last(completed)["transcript"].get<std::string>().empty());
}

TEST_CASE("duplicate sends events again under the same id", "[simulator]") {
  Client always("gpt-realtime+duplicate=1", {.pace = 0});
  always.respond();
  always.wait(0);
  REQUIRE(always.frames.size() % 2 == 0);
  for (std::size_t i = 0; i < always.frames.size(); i += 2) {
    CHECK(always.frames[i] == always.frames[i + 1]);
  }
  const auto doubled = [](const std::string& model) {
    Client client(model, {.pace = 0});
    client.respond();
    client.wait(0);
    std::size_t count = 0;
    for (std::size_t i = 1; i < client.frames.size(); ++i) {
      count += client.frames[i] == client.frames[i - 1] ? 1 : 0;
    }
    return static_cast<double>(count) / static_cast<double>(client.frames.size() - count);
  };
  CHECK(doubled("gpt-realtime+duplicate=0.5") > 0.3);
  CHECK(doubled("gpt-realtime+duplicate=0.5") < 0.7);
  CHECK(doubled("gpt-realtime") == 0);
}

TEST_CASE("slow stretches the provider's time, also where there was none", "[simulator]") {
  const auto time_of_answer = [](const std::string& model, double pace) {
    Client client(model, {.pace = pace});
    client.respond();
    const std::int64_t begin = client.now;
    for (int i = 0; i < 10'000 && client.all("response.done").empty(); ++i) client.wait(10);
    return client.now - begin;
  };
  const auto normal = time_of_answer("gpt-realtime", 1);
  CHECK(normal > 1'000);
  CHECK(time_of_answer("gpt-realtime", 0) == 0);
  CHECK(time_of_answer("gpt-realtime+slow=1", 0) == normal);
  CHECK(time_of_answer("gpt-realtime+slow=3", 1) >= 3 * normal - 40);
}

TEST_CASE("error_first refuses as the provider does", "[P2][simulator]") {
  const Client client("gpt-realtime+error_first=invalid_api_key");
  REQUIRE(client.types() == std::vector<std::string>{"error"});
  CHECK(client.error()["code"] == "invalid_api_key");
  REQUIRE(client.endings.size() == 1);
  CHECK(client.endings[0].close_code == 4000);
  CHECK(client.endings[0].close_reason == "invalid_request_error.invalid_api_key");
}

TEST_CASE("expire_after ends the session in the provider's words, in mid-answer too",
          "[P8][simulator]") {
  Options options;
  options.unix_offset_ms = 1'700'000'000'000;
  Client client("gpt-realtime+expire_after=2000", options, 0);
  CHECK(client.events[0]["session"]["expires_at"] == 1'700'000'002);
  client.wait(1'500);
  client.respond();
  client.wait(499);
  CHECK(client.endings.empty());
  client.wait(1);
  CHECK(client.error()["code"] == "session_expired");
  REQUIRE(client.endings.size() == 1);
  CHECK(client.endings[0].close_code == 1001);
  CHECK(client.endings[0].close_reason == "Your session hit the maximum duration of 60 minutes.");
}

TEST_CASE("a session ends after an hour by default", "[P8][simulator]") {
  Client client;
  client.wait(3'599'999);
  CHECK(client.endings.empty());
  client.wait(1);
  CHECK(client.endings.size() == 1);
}

TEST_CASE("faults come from the options, from the model, and from a URL's blanks", "[simulator]") {
  Client from_options("gpt-realtime", {.faults = "hang_after=1"});
  CHECK(from_options.endings.size() == 1);
  Client both("gpt-realtime+drop_after=1", {.faults = "fail_transcription+hang_after=5"});
  REQUIRE(both.endings.size() == 1);
  CHECK(both.endings[0].kind == Action::Kind::drop);
  Client blanks("gpt-realtime fail_transcription drop_after=1");
  CHECK(blanks.endings.size() == 1);
  CHECK(blanks.events[0]["session"]["model"] == "gpt-realtime");
}

TEST_CASE("an invalid fault is refused with the list of known ones", "[simulator]") {
  const auto why = [](const std::string& spec) -> std::string {
    try {
      Client client("gpt-realtime+" + spec);
    } catch (const std::invalid_argument& error) {
      return error.what();
    }
    return {};
  };
  CHECK(why("drop_aftr=3").find("drop_after=N") != std::string::npos);
  for (const char* spec :
       {"drop_after", "drop_after=", "drop_after=-1", "drop_after=3x", "silent=1", "close_after=3",
        "close_after=3:99", "close_after=3:1006", "close_after=x:1000", "duplicate=1.5",
        "duplicate=nan", "slow=0", "slow=", "error_first", "expire_after=soon", "+"}) {
    INFO(spec);
    CHECK_FALSE(why(spec).empty());
  }
  CHECK(why("close_after=3:1000:" + std::string(123, 'x')).empty());
  CHECK_FALSE(why("close_after=3:1000:" + std::string(124, 'x')).empty());
}

TEST_CASE("a client that does not read is disconnected, and its messages are not kept",
          "[P11][simulator]") {
  SimulatedConnection connection({.pace = 0}, "gpt-realtime", 0);
  const std::string bad = R"({"type":")" + std::string(60'000, 'x') + "\"}";
  std::size_t bytes = 0;
  for (int i = 0; i < 2'000; ++i) connection.on_message(bad, i);
  const auto actions = connection.take(5'000);
  for (const Action& action : actions) bytes += action.payload.size();
  CHECK(bytes < 65U << 20U);
  CHECK(actions.back().kind == Action::Kind::drop);
}

TEST_CASE("a fault with a probability hits some sessions and not others, by the seed",
          "[simulator]") {
  const auto fates = [](std::uint64_t seed) {
    Client client("gpt-realtime+missing_transcription=0.3+fail_transcription=0.4",
                  {.pace = 0, .seed = seed});
    client.transcribe();
    for (int i = 0; i < 20; ++i) {
      client.say(500);
      client.pause(300);
      client.wait(100);
    }
    return std::pair(client.all(completed).size(), client.all(failed_event).size());
  };
  const auto [heard, lost] = fates(7);
  CHECK(heard > 0);
  CHECK(lost > 0);
  CHECK(heard + lost < 20);
  CHECK(fates(7) == std::pair(heard, lost));
}

TEST_CASE("fail_response ends an answer before it has begun, with the reason", "[simulator]") {
  Client client("gpt-realtime+fail_response");
  client.type("Hello?");
  client.respond();
  client.wait(10'000);
  const Json response = client.last("response.done")["response"];
  CHECK(response["status"] == "failed");
  CHECK(response["status_details"]["error"]["code"] == "insufficient_quota");
  CHECK(response["output"].empty());
  CHECK(client.all("response.output_item.added").empty());
}

TEST_CASE("null_previous, no_item_ids and binary do what their names say", "[simulator]") {
  Client client("gpt-realtime+null_previous+no_item_ids", {.pace = 0});
  client.type("One");
  client.respond();
  client.wait(0);
  client.type("Two");
  for (const Json& added : client.all("conversation.item.added"))
    CHECK(added["previous_item_id"].is_null());
  for (const Json& text : client.all("response.output_audio_transcript.delta")) {
    CHECK_FALSE(text.contains("item_id"));
    CHECK(text.contains("response_id"));
  }
  CHECK_FALSE(client.last("response.output_audio.delta").contains("item_id"));
  SimulatedConnection framed({}, "gpt-realtime+binary", 0);
  CHECK(framed.take(0).at(0).binary);
}

TEST_CASE("odd_ids are odd but valid ids, and one has ninety characters", "[simulator]") {
  Client client("gpt-realtime+odd_ids", {.pace = 0});
  std::size_t longest = 0;
  for (int i = 0; i < 40; ++i) {
    client.type("Hello?");
    const auto id = client.last("conversation.item.added")["item"]["id"].get<std::string>();
    longest = std::max(longest, id.size());
    client.send({{"type", "conversation.item.delete"}, {"item_id", id}});
    CHECK(client.last("conversation.item.deleted")["item_id"] == id);
  }
  CHECK(longest >= 90);
}

TEST_CASE("refuse_history refuses items that a relay sends again, and nothing else",
          "[simulator]") {
  Client client("gpt-realtime+refuse_history");
  client.type("Mine");
  CHECK(client.events.back()["type"] == "conversation.item.done");
  client.send({{"type", "conversation.item.create"},
               {"event_id", "verbatim_rebuild:item_1"},
               {"item",
                {{"type", "message"},
                 {"role", "user"},
                 {"content", Json::array({{{"type", "input_text"}, {"text", "Yours"}}})}}}});
  CHECK(client.error()["event_id"] == "verbatim_rebuild:item_1");
}

}  // namespace verbatim::simulator::test
