// The spoken text that a resync sends to a client (P8, P9).
#include "session/protocol/clients/beta_dialect.hpp"
#include "tests/session/answers.hpp"
#include "tests/session/rebuild.hpp"

using namespace verbatim;
using namespace verbatim::protocol;
using namespace verbatim::session;
using namespace verbatim::session::test;

namespace {

SessionOptions resumable() {
  SessionOptions options = with_reconnect();
  options.resume_window_ms = 30'000;
  return options;
}

struct Talk : Stage {
  explicit Talk(const ClientDialect* dialect = nullptr) : Stage(resumable(), false, dialect) {
    open();
  }

  void say(Json event) {
    event["event_id"] = "t" + std::to_string(++count);
    provider(event.dump());
  }
  void spoken(const std::string& id, const Json& previous,
              const Json& content = {{{"type", "input_audio"}, {"transcript", nullptr}}}) {
    say({{"type", "input_audio_buffer.committed"},
         {"item_id", id},
         {"previous_item_id", previous}});
    const Json item = {{"id", id},
                       {"type", "message"},
                       {"role", "user"},
                       {"status", "completed"},
                       {"content", content}};
    say({{"type", "conversation.item.added"}, {"previous_item_id", previous}, {"item", item}});
    say({{"type", "conversation.item.done"}, {"previous_item_id", previous}, {"item", item}});
  }
  void transcription(const std::string& what, const std::string& id, Json members,
                     int content_index = 0) {
    members["type"] = "conversation.item.input_audio_transcription." + what;
    members["item_id"] = id;
    members["content_index"] = content_index;
    say(members);
  }
  std::vector<Json> resynced() {
    journal.sync();
    drain_client();
    session.client_gone(lost, clock);
    session.client_returned({}, clock);
    journal.sync();
    pass(100);
    std::vector<Json> out;
    for (const auto& message : drain_client()) out.push_back(Json::parse(message));
    return out;
  }

  int count = 0;
};

const std::string of_words = "conversation.item.input_audio_transcription.";

}  // namespace

TEST_CASE("the text of each spoken item is sent after it, the text of a typed one in it",
          "[P8][P9][resume][resync]") {
  Talk talk;
  talk.spoken("u1", nullptr);
  talk.say({{"type", "conversation.item.added"},
            {"previous_item_id", "u1"},
            {"item", typed_message("u2", "In writing.")}});
  talk.spoken("u3", "u2");
  talk.transcription("completed", "u3", {{"transcript", "And aloud."}});
  talk.transcription("completed", "u1", {{"transcript", "Good morning."}});
  const auto received = talk.resynced();
  REQUIRE(types_of(received) ==
          std::vector<std::string>{
              "session.created", "conversation.item.added", "conversation.item.done",
              of_words + "completed", "conversation.item.added", "conversation.item.done",
              "conversation.item.added", "conversation.item.done", of_words + "completed"});
  CHECK(received[3]["item_id"] == "u1");
  CHECK(received[3]["content_index"] == 0);
  CHECK(received[3]["transcript"] == "Good morning.");
  CHECK(received[8]["item_id"] == "u3");
  CHECK(received[8]["transcript"] == "And aloud.");
}

TEST_CASE("speech in a later part of an item is sent with its own index",
          "[P8][P9][resume][resync]") {
  Talk talk;
  talk.spoken("u1", nullptr,
              {{{"type", "input_text"}, {"text", "This is what I heard:"}},
               {{"type", "input_audio"}, {"transcript", nullptr}}});
  talk.transcription("completed", "u1", {{"transcript", "A bell."}}, 1);
  const auto received = talk.resynced();
  REQUIRE(received.back()["type"] == of_words + "completed");
  CHECK(received.back()["content_index"] == 1);
  CHECK(received.back()["transcript"] == "A bell.");
}

TEST_CASE("a failed transcription is sent as failed, with its code",
          "[P8][P9][P13][resume][resync]") {
  Talk talk;
  talk.spoken("u1", nullptr);
  talk.transcription("failed", "u1", {{"error", {{"code", "audio_unintelligible"}}}});
  const auto received = talk.resynced();
  REQUIRE(received.back()["type"] == of_words + "failed");
  CHECK(received.back()["item_id"] == "u1");
  CHECK(received.back()["error"]["code"] == "audio_unintelligible");
  CHECK(received.back()["error"]["message"].is_string());
}

TEST_CASE("a transcription in progress is sent as far as it is, and continues",
          "[P8][P9][resume][resync]") {
  Talk talk;
  talk.spoken("u1", nullptr);
  talk.transcription("delta", "u1", {{"delta", "Good mor"}});
  talk.spoken("u2", "u1");  // no transcription yet
  const auto received = talk.resynced();
  REQUIRE(types_of(received) ==
          std::vector<std::string>{"session.created", "conversation.item.added",
                                   "conversation.item.done", of_words + "delta",
                                   "conversation.item.added", "conversation.item.done"});
  CHECK(received[3]["delta"] == "Good mor");
  talk.transcription("delta", "u1", {{"delta", "ning."}});
  talk.transcription("completed", "u1", {{"transcript", "Good morning."}});
  talk.journal.sync();
  CHECK(types(talk.drain_client()) ==
        std::vector<std::string>{of_words + "delta", of_words + "completed"});
}

TEST_CASE("a transcription lost with its connection is sent as far as it came",
          "[P8][P9][P13][resume][resync]") {
  Talk talk;
  talk.spoken("u1", nullptr);
  talk.transcription("delta", "u1", {{"delta", "Good mor"}});
  talk.spoken("u2", "u1");
  talk.session.upstream_gone(talk.upstream, lost, talk.clock);
  const auto received = talk.resynced();
  std::vector<Json> words;
  for (const Json& event : received)
    if (event["type"].get<std::string>().starts_with(of_words)) words.push_back(event);
  REQUIRE(words.size() == 2);
  CHECK(words[0]["type"] == of_words + "completed");
  CHECK(words[0]["transcript"] == "Good mor");
  CHECK(words[1]["type"] == of_words + "failed");
  CHECK(words[1]["item_id"] == "u2");
  CHECK(words[1]["error"]["code"] == "connection_lost");
}

TEST_CASE("no transcription is sent for a deleted item, or to a client that wants none",
          "[P9][resume][resync]") {
  Talk talk;
  talk.spoken("u1", nullptr);
  talk.transcription("completed", "u1", {{"transcript", "Forget this."}});
  SECTION("deleted") {
    talk.say({{"type", "conversation.item.deleted"}, {"item_id", "u1"}});
    CHECK(types_of(talk.resynced()) == std::vector<std::string>{"session.created"});
  }
  SECTION("not wanted") {
    talk.client(R"({"type":"session.update","session":{"type":"realtime","audio":{"input":)"
                R"({"transcription":null}}}})");
    talk.journal.sync();
    talk.drain_upstream();
    talk.say({{"type", "session.updated"},
              {"session",
               {{"type", "realtime"}, {"audio", {{"input", {{"transcription", nullptr}}}}}}}});
    const auto received = talk.resynced();
    REQUIRE(types_of(received) == std::vector<std::string>{"session.created",
                                                           "conversation.item.added",
                                                           "conversation.item.done"});
    CHECK(received[1]["item"]["content"][0]["transcript"].is_null());
    CHECK(received[2]["item"]["content"][0]["transcript"].is_null());
  }
}

TEST_CASE("a beta client gets the transcriptions as well", "[P8][P9][dialect][resync]") {
  Talk talk(&beta_dialect());
  talk.spoken("u1", nullptr);
  talk.transcription("completed", "u1", {{"transcript", "Good morning."}});
  talk.journal.sync();
  talk.drain_client();
  talk.session.client_gone(lost, talk.clock);
  talk.session.client_returned({std::nullopt, false, &beta_dialect()}, talk.clock);
  talk.journal.sync();
  talk.pass(100);
  const auto received = talk.drain_client();
  CHECK(types(received) == std::vector<std::string>{"session.created", "conversation.item.created",
                                                    of_words + "completed"});
}
