// Items that the current upstream connection lacks, or has already (P8): requests that the relay
// answers without the provider, and a history that the provider refuses.
#include "tests/session/rebuild.hpp"

using namespace verbatim;
using namespace verbatim::session;
using namespace verbatim::session::test;
using namespace verbatim::transcript;

namespace {

/// u0, the provider's answer a1, then a spoken item u1 whose transcription failed, then u2.
void talk(Stage& stage) {
  converse(stage);
  finish_answer(stage);
  stage.provider(R"({"type":"input_audio_buffer.committed","event_id":"k1","item_id":"u1",)"
                 R"("previous_item_id":"a1"})");
  stage.provider(R"({"type":"conversation.item.input_audio_transcription.failed","event_id":"k2",)"
                 R"("item_id":"u1","content_index":0,"error":{"code":"audio_unintelligible"}})");
  stage.provider(added(typed_message("u2", "Still there?"), "u1", "k3"));
  stage.journal.sync();
  stage.drain_client();
}

std::string create_item(const std::string& id, const std::string& text, const Json& previous = {}) {
  Json event = {{"type", "conversation.item.create"}, {"item", typed_message(id, text)}};
  event["item"].erase("status");
  if (!previous.is_null()) event["previous_item_id"] = previous;
  return event.dump();
}

std::string about(const char* what, const std::string& id) {
  return Json{{"type", std::string("conversation.item.") + what}, {"item_id", id}}.dump();
}

/// Connects, starts the new connection, and returns what the session sends; its settings are
/// accepted.
std::vector<Json> given_items(Stage& stage, const std::string& id) {
  stage.pass(10'000);
  stage.session.upstream_opened(stage.dial(), stage.clock);
  stage.provider(created(id));
  stage.provider(updated_with_transcription);
  stage.journal.sync();
  std::vector<Json> items;
  for (const std::string& bytes : stage.drain_upstream())
    if (const Json event = Json::parse(bytes); event["type"] == "conversation.item.create")
      items.push_back(event);
  return items;
}

std::string item_refusal(const Json& event_id, const Json& code = "invalid_value") {
  static int n = 0;
  return Json{{"type", "error"},
              {"event_id", "refusal" + std::to_string(++n)},
              {"error",
               {{"type", "invalid_request_error"},
                {"code", code},
                {"message", "What you said was bad."},
                {"event_id", event_id}}}}
      .dump();
}

std::vector<std::string> order(Stage& stage) {
  stage.session.end(CloseReason::client_ended, "", stage.clock);
  std::vector<std::string> ids;
  for (const Turn& turn : stage.journal.endings.front().transcript.turns)
    ids.push_back(turn.item_id);
  return ids;
}

}  // namespace

TEST_CASE("an item behind one that the provider could not be given goes behind the nearest before",
          "[P4][P8][missing]") {
  Stage stage(with_reconnect());
  stage.open();
  talk(stage);
  const bool in_outage = GENERATE(false, true);
  CAPTURE(in_outage);
  const std::string asked = create_item("mine", "What I meant.", "u1");
  stage.session.upstream_gone(stage.upstream, lost, stage.clock);
  if (in_outage) stage.client(asked);
  reconnect(stage, "sess_2");
  if (!in_outage) stage.client(asked);
  stage.journal.sync();
  stage.drain_client();
  const auto sent = stage.drain_upstream();
  REQUIRE(sent.size() == 1);
  Json expected = Json::parse(asked);
  expected["previous_item_id"] = "a1";
  CHECK(Json::parse(sent[0]) == expected);

  stage.provider(added(typed_message("mine", "What I meant."), "a1", "n1"));
  stage.journal.sync();
  const Json received = only(stage.drain_client());
  CHECK(received["previous_item_id"] == "u1");  // as the client asked
  CHECK(order(stage) == std::vector<std::string>{"u0", "a1", "u1", "mine", "u2"});
}

TEST_CASE("behind an item with none before it that the provider has, it goes to the front",
          "[P4][P8][missing]") {
  Stage stage(with_reconnect());
  stage.open();
  stage.provider(speech_started);
  stage.provider(speech_committed);
  stage.provider(R"({"type":"conversation.item.input_audio_transcription.failed","event_id":"k2",)"
                 R"("item_id":"u1","content_index":0,"error":{"code":"audio_unintelligible"}})");
  stage.provider(added(typed_message("u2", "Hello?"), "u1", "k3"));
  stage.session.upstream_gone(stage.upstream, lost, stage.clock);
  reconnect(stage, "sess_2");
  stage.client(create_item("mine", "I said hello.", "u1"));
  stage.journal.sync();
  const auto sent = stage.drain_upstream();
  REQUIRE(sent.size() == 1);
  CHECK(Json::parse(sent[0])["previous_item_id"] == "root");
  stage.provider(added(typed_message("mine", "I said hello."), nullptr, "n1"));
  CHECK(order(stage) == std::vector<std::string>{"u1", "mine", "u2"});
}

TEST_CASE("an item that names an item of the provider is passed on unchanged",
          "[P8][P9][missing]") {
  Stage stage(with_reconnect());
  stage.open();
  talk(stage);
  stage.session.upstream_gone(stage.upstream, lost, stage.clock);
  reconnect(stage, "sess_2");
  int n = 0;
  for (const Json& previous : {Json("a1"), Json("root"), Json("nobody"), Json()}) {
    const std::string asked = create_item("mine" + std::to_string(++n), "Hm.", previous);
    stage.client(asked);
    stage.journal.sync();
    CHECK(stage.drain_upstream() == std::vector<std::string>{asked});
  }
}

TEST_CASE("an item that the provider could not be given is shown and deleted without it",
          "[P8][missing]") {
  Stage stage(with_reconnect());
  stage.open();
  talk(stage);
  stage.session.upstream_gone(stage.upstream, lost, stage.clock);
  const bool in_outage = GENERATE(false, true);
  if (in_outage) {
    stage.client(about("retrieve", "u1"));
    stage.client(about("delete", "u1"));
  }
  reconnect(stage, "sess_2");
  if (!in_outage) {
    stage.client(about("retrieve", "u1"));
    stage.client(about("delete", "u1"));
  }
  CHECK(std::as_const(stage.session).counts().refused_client_messages == 0);
  stage.journal.sync();
  CHECK(stage.drain_upstream().empty());
  const auto received = stage.drain_client();
  REQUIRE(types(received) ==
          std::vector<std::string>{"conversation.item.retrieved", "conversation.item.deleted"});
  CHECK(Json::parse(received[0])["item"]["id"] == "u1");
  CHECK(Json::parse(received[0])["item"]["role"] == "user");
  CHECK(Json::parse(received[1])["item_id"] == "u1");
  const bool journaled = std::any_of(
      stage.journal.rows.begin(), stage.journal.rows.end(), [](const MemoryJournal::Row& row) {
        const auto* deleted = std::get_if<ItemDeleted>(&row.event.body);
        return deleted != nullptr && deleted->item_id == "u1";
      });
  CHECK(journaled);
  // From now on the client no longer has it, as it would be with the provider.
  stage.client(about("retrieve", "u1"));
  stage.journal.sync();
  CHECK(stage.drain_upstream().size() == 1);
  stage.session.end(CloseReason::client_ended, "", stage.clock);
  CHECK(stage.journal.endings.front().transcript.turns[2].deleted);
}

TEST_CASE("items that the provider has are shown and deleted by the provider",
          "[P8][P9][missing]") {
  Stage stage(with_reconnect());
  stage.open();
  talk(stage);
  stage.session.upstream_gone(stage.upstream, lost, stage.clock);
  reconnect(stage, "sess_2");
  for (const char* what : {"retrieve", "delete"}) {
    stage.client(about(what, "u0"));
    stage.journal.sync();
    CHECK(stage.drain_upstream() == std::vector<std::string>{about(what, "u0")});
  }
  CHECK(stage.drain_client().empty());
}

// ---- items that the provider refuses -------------------------------------------------------

TEST_CASE(
    "items of a conversation that the provider refuses are counted and reported to the client",
    "[P8][refused]") {
  Stage stage(with_reconnect(), /*extension_events=*/true);
  stage.open();
  talk(stage);
  stage.session.upstream_gone(stage.upstream, lost, stage.clock);
  const auto given = given_items(stage, "sess_2");
  REQUIRE(given.size() == 3);
  const bool named = GENERATE(true, false);  // many servers do not say what an error is about
  stage.provider(item_refusal(named ? given[0]["event_id"] : Json(nullptr)));
  stage.provider(added(given[1]["item"], nullptr, "echo1"));
  CHECK(stage.session.counts().reconnected == 0);
  stage.provider(
      item_refusal(named ? given[2]["event_id"] : Json(nullptr), "What you said was bad."));
  CHECK(stage.session.counts().reconnected == 1);
  const Rebuild& rebuild = stage.session.last_rebuild();
  CHECK(rebuild.given == 1);
  CHECK(rebuild.refused == std::vector<Rebuild::Missing>{{"u0", "invalid_value"}, {"u2", "other"}});
  CHECK(stage.session.counts().items_given == 1);
  CHECK(stage.session.counts().items_refused == 2);
  CHECK(stage.session.counts().items_left_out == 1);
  stage.journal.sync();
  const Json received = Json::parse(stage.drain_client().back());
  CHECK(received["state"] == "restored");
  CHECK(received["left_out"] == Json::parse(R"([{"item_id":"u1","why":"no_text"}])"));
  CHECK(received["refused"] == Json::parse(R"([{"item_id":"u0","why":"invalid_value"},)"
                                           R"({"item_id":"u2","why":"other"}])"));
}

TEST_CASE("a client is notified when the provider has the whole conversation", "[P8][refused]") {
  Stage stage(with_reconnect(), /*extension_events=*/true);
  stage.open();
  converse(stage);
  finish_answer(stage);
  stage.session.upstream_gone(stage.upstream, lost, stage.clock);
  reconnect(stage, "sess_2");
  stage.journal.sync();
  const Json received = Json::parse(stage.drain_client().back());
  CHECK(received["state"] == "restored");
  CHECK(received["left_out"] == Json::array());
  CHECK(received["refused"] == Json::array());
}

TEST_CASE("an item that seemed to be refused and is placed was taken", "[P8][refused]") {
  Stage stage(with_reconnect());
  stage.open();
  converse(stage);
  finish_answer(stage);
  stage.session.upstream_gone(stage.upstream, lost, stage.clock);
  const auto given = given_items(stage, "sess_2");
  REQUIRE(given.size() == 2);
  stage.provider(item_refusal(nullptr, "rate_limit_exceeded"));  // about something else
  stage.provider(added(given[0]["item"], nullptr, "echo1"));
  stage.provider(added(given[1]["item"], nullptr, "echo2"));
  CHECK(stage.session.counts().reconnected == 1);
  CHECK(stage.session.last_rebuild().whole());
  CHECK(stage.session.last_rebuild().given == 2);
}

TEST_CASE("a provider that refuses the whole history has not restored it", "[P2][P8][refused]") {
  Stage stage(with_reconnect(), /*extension_events=*/true);
  stage.open();
  talk(stage);
  stage.session.upstream_gone(stage.upstream, lost, stage.clock);
  stage.journal.sync();
  stage.drain_client();
  int tries = 0;
  for (; !stage.session.ended() && tries < 10; ++tries)
    for (const Json& event : given_items(stage, "sess_" + std::to_string(tries)))
      stage.provider(item_refusal(event["event_id"]));
  CHECK(tries == 3);  // as many as are allowed
  REQUIRE(stage.session.ended());
  CHECK(stage.session.reason() == CloseReason::upstream_error);
  CHECK(stage.session.counts().reconnected == 0);
  CHECK(stage.session.counts().items_refused == 9);
  stage.journal.sync();
  for (const std::string& message : stage.drain_client())
    CHECK(message.find("restored") == std::string::npos);
  REQUIRE(stage.journal.endings.size() == 1);
  CHECK(stage.journal.endings[0].transcript.turns.size() == 4);
}

TEST_CASE("a provider that refuses once and takes the history at the next try goes on",
          "[P8][refused]") {
  Stage stage(with_reconnect());
  stage.open();
  talk(stage);
  stage.session.upstream_gone(stage.upstream, lost, stage.clock);
  for (const Json& event : given_items(stage, "sess_2"))
    stage.provider(item_refusal(event["event_id"]));
  reconnect(stage, "sess_3");
  CHECK(stage.session.counts().reconnected == 1);
  CHECK_FALSE(stage.session.ended());
}

TEST_CASE("a connection that refuses the history does not take over from one that is good",
          "[P8][rotation][refused]") {
  SessionOptions options = with_reconnect();
  options.rotate_after_ms = 55 * 60'000;
  options.max_duration_ms = options.idle_timeout_ms = 10 * 3'600'000;
  Stage stage(options);
  stage.open();
  talk(stage);
  const UpstreamId old = stage.upstream;
  stage.pass(56 * 60'000);
  for (const Json& event : given_items(stage, "sess_2"))
    stage.provider(item_refusal(event["event_id"]));
  CHECK(stage.session.outbox_of(old) != nullptr);
  CHECK(stage.session.counts().rotated == 0);
  CHECK_FALSE(stage.session.ended());
  CHECK(stage.session.counts().items_refused == 3);
}

// ---- items that a client makes again -------------------------------------------------------

TEST_CASE("a client that returns to the same connection and makes its history again is answered",
          "[P8][P9][replay]") {
  SessionOptions options = with_reconnect();
  options.resume_window_ms = 30'000;
  Stage stage(options);
  stage.open();
  talk(stage);
  const Json call = {{"id", "call"},
                     {"type", "function_call"},
                     {"call_id", "call_1"},
                     {"name", "tides"},
                     {"arguments", "{}"}};
  const Json output = {
      {"id", "out"}, {"type", "function_call_output"}, {"call_id", "call_1"}, {"output", "low"}};
  stage.provider(added(call, "u2", "k4"));
  stage.provider(added(output, "call", "k5"));
  stage.session.client_gone(lost, stage.clock);
  stage.session.client_returned({}, stage.clock);
  stage.journal.sync();
  stage.pass(200);
  stage.drain_client();
  const auto answers = [&stage](const std::string& asked) {
    stage.client(asked);
    stage.journal.sync();
    CHECK(stage.drain_upstream().empty());
    const auto received = stage.drain_client();
    CHECK(types(received) ==
          std::vector<std::string>{"conversation.item.added", "conversation.item.done"});
    return Json::parse(received.at(0));
  };
  CHECK(answers(create_item("u0", "Hi.", "root"))["previous_item_id"] == nullptr);
  Json answer = {{"type", "conversation.item.create"},
                 {"item",
                  {{"id", "a1"},
                   {"type", "message"},
                   {"role", "assistant"},
                   {"content", Json::array({{{"type", "output_text"}, {"text", "Hello"}}})}}}};
  CHECK(answers(answer.dump())["previous_item_id"] == "u0");
  CHECK(answers(create_item("u2", "Still there?"))["previous_item_id"] == "u1");
  CHECK(answers(Json{{"type", "conversation.item.create"}, {"item", call}}.dump())["item"]["id"] ==
        "call");
  CHECK(
      answers(Json{{"type", "conversation.item.create"}, {"item", output}}.dump())["item"]["id"] ==
      "out");
  // Other text under an existing id: the provider must refuse it.
  Json other = output;
  other["output"] = "high";
  for (const std::string& asked :
       {create_item("u0", "Hello."), create_item("u9", "Hi."),
        Json{{"type", "conversation.item.create"}, {"item", other}}.dump()}) {
    stage.client(asked);
    stage.journal.sync();
    CHECK(stage.drain_upstream() == std::vector<std::string>{asked});
  }
}

TEST_CASE("for a client that was never away the relay does not answer in the provider's place",
          "[P9][replay]") {
  Stage stage(with_reconnect());
  stage.open();
  talk(stage);
  const std::string asked = create_item("u0", "Hi.");
  stage.client(asked);
  stage.journal.sync();
  CHECK(stage.drain_upstream() == std::vector<std::string>{asked});
}

TEST_CASE("an image under a known id is the same item only if it is the same image",
          "[P8][replay]") {
  SessionOptions options = with_reconnect();
  options.resume_window_ms = 30'000;
  Stage stage(options);
  stage.open();
  Json item = typed_message("photo", "This?");
  item["content"].push_back({{"type", "input_image"}, {"image_url", "data:image/png;base64,AA"}});
  stage.provider(added(item, nullptr, "k1"));
  stage.session.client_gone(lost, stage.clock);
  stage.session.client_returned({}, stage.clock);
  stage.client(Json{{"type", "conversation.item.create"}, {"item", item}}.dump());
  stage.journal.sync();
  CHECK(stage.drain_upstream().empty());
  item["content"][1]["image_url"] = "data:image/png;base64,BB";
  stage.client(Json{{"type", "conversation.item.create"}, {"item", item}}.dump());
  stage.journal.sync();
  CHECK(stage.drain_upstream().size() == 1);
}

TEST_CASE("a history that is made again before it was answered is asked for once", "[P8][replay]") {
  SessionOptions options = with_reconnect();
  options.resume_window_ms = 30'000;
  Stage stage(options);
  stage.open();
  const std::string asked = create_item("mine", "Hi.");
  stage.client(asked);
  stage.journal.sync();
  CHECK(stage.drain_upstream().size() == 1);
  stage.session.client_gone(lost, stage.clock);
  stage.session.client_returned({}, stage.clock);
  stage.client(asked);
  stage.journal.sync();
  CHECK(stage.drain_upstream().empty());
  stage.provider(added(typed_message("mine", "Hi."), nullptr, "k1"));
  stage.journal.sync();
  stage.pass(200);
  const auto received = types(stage.drain_client());
  CHECK(std::count(received.begin(), received.end(), "conversation.item.added") == 1);
}

TEST_CASE("a history that is made again while the provider is away is there once", "[P8][replay]") {
  SessionOptions options = with_reconnect();
  options.resume_window_ms = 30'000;
  Stage stage(options);
  stage.open();
  talk(stage);
  stage.session.upstream_gone(stage.upstream, lost, stage.clock);
  stage.client(create_item("u0", "Hi."));
  stage.client(create_item("u2", "Still there?", "u0"));
  stage.client(create_item("u3", "I am back.", "u2"));
  reconnect(stage, "sess_2");
  stage.journal.sync();
  const auto sent = stage.drain_upstream();
  CHECK(sent == std::vector<std::string>{create_item("u3", "I am back.", "u2")});
}
