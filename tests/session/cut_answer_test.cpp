// An answer that a lost upstream connection cuts off is ended for the client with all events that
// the provider would have sent (P8, P9).
#include <set>

#include "session/protocol/openai/announced_answers.hpp"
#include "tests/session/answers.hpp"

using namespace verbatim;
using namespace verbatim::protocol;
using namespace verbatim::session;
using namespace verbatim::session::test;

TEST_CASE("an answer that is cut off ends part by part, and its response as it was created",
          "[P8][P9][reconnect][cut]") {
  Stage stage(with_reconnect());
  stage.open();
  Provider provider(stage);
  provider.respond("r1");
  provider.item("r1", 0, message("a1"), "u0");
  provider.in_part("response.content_part.added", "r1", 0, "a1", 0,
                   {{"part", {{"type", "audio"}, {"transcript", ""}}}});
  provider.in_part("response.output_audio_transcript.delta", "r1", 0, "a1", 0,
                   {{"delta", "Good mor"}});
  provider.in_part("response.output_audio.delta", "r1", 0, "a1", 0, {{"delta", "AAAA"}});
  const auto received = lose(stage);
  REQUIRE(types_of(received) == joined({spoken_end, item_end, {"response.done"}}));
  for (int i = 0; i < 3; ++i) {
    const Json& of_part = received[static_cast<std::size_t>(i)];
    CHECK(of_part["response_id"] == "r1");
    CHECK(of_part["item_id"] == "a1");
    CHECK(of_part["output_index"] == 0);
    CHECK(of_part["content_index"] == 0);
  }
  CHECK(received[1]["transcript"] == "Good mor");
  CHECK(received[2]["part"] == Json{{"type", "audio"}, {"transcript", "Good mor"}});
  Json item = message("a1");
  item["status"] = "incomplete";
  item["content"] = {{{"type", "output_audio"}, {"transcript", "Good mor"}}};
  CHECK(received[3]["item"] == item);
  CHECK(received[3]["previous_item_id"] == "u0");
  CHECK(received[4]["item"] == item);
  CHECK(received[4]["response_id"] == "r1");
  const Json& done = received[5]["response"];
  CHECK(done["status"] == "incomplete");
  CHECK(done["status_details"] == Json{{"type", "incomplete"}, {"reason", "connection_lost"}});
  CHECK(done["output"] == Json::array({item}));
  CHECK(done["conversation_id"] == "conv_1");
  CHECK(done["output_modalities"] == Json{"audio"});
  CHECK(done["max_output_tokens"] == "inf");
  CHECK(done["metadata"] == Json{{"topic", "greeting"}});
  CHECK(done["audio"]["output"]["voice"] == "cedar");
  CHECK(done["object"] == "realtime.response");
  REQUIRE(done.contains("usage"));
  CHECK(done["usage"].is_null());
}

TEST_CASE("events that had ended before the loss are not ended twice", "[P8][P9][reconnect][cut]") {
  const Types all = joined({spoken_end, item_end, {"response.done"}});
  for (std::size_t ended = 0; ended <= all.size(); ++ended) {
    CAPTURE(ended);
    Stage stage(with_reconnect());
    stage.open();
    Provider provider(stage);
    provider.respond("r1");
    provider.item("r1", 0, message("a1"), "u0");
    provider.in_part("response.content_part.added", "r1", 0, "a1", 0,
                     {{"part", {{"type", "audio"}, {"transcript", ""}}}});
    provider.in_part("response.output_audio_transcript.delta", "r1", 0, "a1", 0,
                     {{"delta", "Yes."}});
    Json whole = message("a1");
    whole["status"] = "completed";
    whole["content"] = {{{"type", "output_audio"}, {"transcript", "Yes."}}};
    const std::vector<Json> members = {
        Json::object(),
        {{"transcript", "Yes."}},
        {{"part", {{"type", "audio"}, {"transcript", "Yes."}}}},
        {{"item", whole}},
        {{"item", whole}},
        {{"response", {{"id", "r1"}, {"status", "completed"}, {"output", Json::array({whole})}}}}};
    for (std::size_t i = 0; i < ended; ++i)
      provider.in_part(all[i].c_str(), "r1", 0, "a1", 0, members[i]);
    CHECK(types_of(lose(stage)) ==
          Types(all.begin() + static_cast<std::ptrdiff_t>(ended), all.end()));
  }
}

TEST_CASE("several items and parts end in the provider's order, each with its own text",
          "[P8][P9][reconnect][cut]") {
  Stage stage(with_reconnect());
  stage.open();
  Provider provider(stage);
  provider.respond("r1");
  provider.item("r1", 0, message("a1"), "u0");
  provider.in_part("response.content_part.added", "r1", 0, "a1", 0,
                   {{"part", {{"type", "text"}, {"text", ""}}}});
  provider.in_part("response.output_text.delta", "r1", 0, "a1", 0, {{"delta", "In writing."}});
  provider.in_part("response.content_part.added", "r1", 0, "a1", 1,
                   {{"part", {{"type", "audio"}, {"transcript", ""}}}});
  provider.in_part("response.output_audio_transcript.delta", "r1", 0, "a1", 1,
                   {{"delta", "Aloud"}});
  provider.item("r1", 1, call("f1"), "a1");
  provider.say("response.function_call_arguments.delta", {{"response_id", "r1"},
                                                          {"item_id", "f1"},
                                                          {"output_index", 1},
                                                          {"call_id", "call_7"},
                                                          {"delta", R"({"zone")"}});
  provider.say("response.function_call_arguments.delta", {{"response_id", "r1"},
                                                          {"item_id", "f1"},
                                                          {"output_index", 1},
                                                          {"call_id", "call_7"},
                                                          {"delta", R"(:"C)"}});
  provider.item("r1", 2, message("a2"), "f1");  // announced, without content so far
  const auto received = lose(stage);
  REQUIRE(types_of(received) == joined({written_end,
                                        spoken_end,
                                        item_end,
                                        {"response.function_call_arguments.done"},
                                        item_end,
                                        item_end,
                                        {"response.done"}}));
  CHECK(received[0]["text"] == "In writing.");
  CHECK(received[1]["part"] == Json{{"type", "text"}, {"text", "In writing."}});
  CHECK(received[3]["content_index"] == 1);
  CHECK(received[3]["transcript"] == "Aloud");
  CHECK(received[5]["item"]["content"] ==
        Json{{{"type", "output_text"}, {"text", "In writing."}},
             {{"type", "output_audio"}, {"transcript", "Aloud"}}});
  const Json& arguments = received[7];
  CHECK(arguments["arguments"] == R"({"zone":"C)");
  CHECK(arguments["call_id"] == "call_7");
  CHECK(arguments["name"] == "get_time");
  CHECK(arguments["output_index"] == 1);
  Json cut_call = call("f1");
  cut_call["status"] = "incomplete";
  cut_call["arguments"] = R"({"zone":"C)";
  CHECK(received[8]["item"] == cut_call);
  CHECK(received[8]["previous_item_id"] == "a1");
  CHECK(received[9]["item"] == cut_call);
  CHECK(received[10]["item"]["content"] == Json::array());
  CHECK(received[10]["item"]["status"] == "incomplete");
  const Json& output = received[12]["response"]["output"];
  REQUIRE(output.size() == 3);
  CHECK(output[0]["id"] == "a1");
  CHECK(output[1] == cut_call);
  CHECK(output[2]["id"] == "a2");
}

TEST_CASE("an MCP call that is cut off ends with its arguments, as a function's does",
          "[P8][P9][reconnect][cut][tools]") {
  struct Case {
    std::vector<const char*> pieces;
    const char* whole;
    const char* arguments;
  };
  for (const auto& [pieces, whole, arguments] :
       {Case{{R"({"q")", R"(:"Os)"}, nullptr, R"({"q":"Os)"}, Case{{}, nullptr, ""},
        Case{{R"({"q")"}, R"({"q":1})", R"({"q":1})"}, Case{{}, R"({"q":1})", R"({"q":1})"}}) {
    CAPTURE(arguments);
    Stage stage(with_reconnect());
    stage.open();
    Provider provider(stage);
    provider.respond("r1");
    const Json mcp = {{"id", "m1"},     {"type", "mcp_call"},        {"status", "in_progress"},
                      {"name", "find"}, {"server_label", "library"}, {"arguments", ""}};
    provider.item("r1", 0, mcp, "u0");
    const Json at = {{"response_id", "r1"}, {"item_id", "m1"}, {"output_index", 0}};
    for (const char* piece : pieces) {
      Json event = at;
      event["delta"] = piece;
      provider.say("response.mcp_call_arguments.delta", event);
    }
    if (whole != nullptr) {
      Json event = at;
      event["arguments"] = whole;
      provider.say("response.mcp_call_arguments.done", event);
    }
    const auto received = lose(stage);
    Types expected = joined({item_end, {"response.done"}});
    if (whole == nullptr) expected.insert(expected.begin(), "response.mcp_call_arguments.done");
    REQUIRE(types_of(received) == expected);
    if (whole == nullptr) {
      CHECK(received[0]["arguments"] == arguments);
      CHECK(received[0]["item_id"] == "m1");
      CHECK(received[0]["output_index"] == 0);
      CHECK_FALSE(received[0].contains("call_id"));
    }
    Json cut = mcp;
    cut["status"] = "incomplete";
    cut["arguments"] = arguments;
    CHECK(received[received.size() - 2]["item"] == cut);
    CHECK(received.back()["response"]["output"] == Json::array({cut}));
  }
}

TEST_CASE("an item that was whole before the loss is in the response's output as it was",
          "[P8][P9][reconnect][cut]") {
  Stage stage(with_reconnect());
  stage.open();
  Provider provider(stage);
  provider.respond("r1");
  provider.item("r1", 0, message("a1"), "u0");
  provider.in_part("response.output_audio_transcript.done", "r1", 0, "a1", 0,
                   {{"transcript", "One moment."}});
  Json whole = message("a1");
  whole["status"] = "completed";
  whole["content"] = {{{"type", "output_audio"}, {"transcript", "One moment."}}};
  provider.say("conversation.item.done", {{"previous_item_id", "u0"}, {"item", whole}});
  provider.say("response.output_item.done",
               {{"response_id", "r1"}, {"output_index", 0}, {"item", whole}});
  provider.item("r1", 1, call("f1"), "a1");
  const auto received = lose(stage);
  REQUIRE(types_of(received) ==
          joined({{"response.function_call_arguments.done"}, item_end, {"response.done"}}));
  CHECK(received[0]["arguments"] == "");
  const Json& output = received[3]["response"]["output"];
  REQUIRE(output.size() == 2);
  CHECK(output[0]["status"] == "completed");
  CHECK(output[0]["content"][0]["transcript"] == "One moment.");
  CHECK(output[1]["status"] == "incomplete");
}

TEST_CASE("an answer of which there is nothing yet is ended by its response.done alone",
          "[P8][P9][reconnect][cut]") {
  Stage stage(with_reconnect());
  stage.open();
  Provider provider(stage);
  provider.respond("r1");
  const auto received = lose(stage);
  REQUIRE(types_of(received) == Types{"response.done"});
  CHECK(received[0]["response"]["output"] == Json::array());
  CHECK(received[0]["response"]["conversation_id"] == "conv_1");
}

TEST_CASE("answers beside the conversation are ended too, without the conversation's events",
          "[P8][P9][reconnect][cut]") {
  Stage stage(with_reconnect());
  stage.open();
  Provider provider(stage);
  provider.respond("r1");
  provider.respond("r2", {{"conversation_id", nullptr},
                          {"output_modalities", {"text"}},
                          {"metadata", {{"purpose", "classify"}}}});
  provider.item("r2", 0, message("b1"), nowhere);
  provider.in_part("response.output_text.delta", "r2", 0, "b1", 0, {{"delta", "friendly"}});
  const auto received = lose(stage);
  REQUIRE(types_of(received) ==
          joined({{"response.done"}, written_end, {"response.output_item.done", "response.done"}}));
  CHECK(received[1]["text"] == "friendly");
  const Json& beside = received[4]["response"];
  CHECK(beside["id"] == "r2");
  REQUIRE(beside.contains("conversation_id"));
  CHECK(beside["conversation_id"].is_null());
  CHECK(beside["metadata"] == Json{{"purpose", "classify"}});
}

TEST_CASE("an answer whose beginning was not announced is ended from the transcript",
          "[P8][P9][reconnect][cut]") {
  Stage stage(with_reconnect());
  stage.open();
  stage.provider(first_delta);
  const auto received = lose(stage);
  REQUIRE(types_of(received) ==
          joined({spoken_end, {"response.output_item.done", "response.done"}}));
  CHECK(received[1]["transcript"] == "Hello");
  CHECK(received[4]["response"]["id"] == "r1");
  CHECK(received[4]["response"]["usage"].is_null());
}

TEST_CASE("the memory for answers is bounded, and each answer still gets its end",
          "[P8][P11][reconnect][cut]") {
  SessionOptions options = with_reconnect();
  options.open_answers_bytes_max = 4096;
  Stage stage(options);
  stage.open();
  Provider provider(stage);
  for (int i = 0; i < 20; ++i) {
    const std::string n = std::to_string(i);
    provider.respond("r" + n, {{"metadata", {{"long", std::string(500, 'x')}}}});
    provider.item("r" + n, 0, call("f" + n), nullptr);
    provider.say("response.function_call_arguments.delta", {{"response_id", "r" + n},
                                                            {"item_id", "f" + n},
                                                            {"output_index", 0},
                                                            {"delta", std::string(500, 'y')}});
  }
  const auto received = lose(stage);
  std::set<std::string> ended;
  for (const Json& event : received)
    if (event["type"] == "response.done") ended.insert(event["response"]["id"]);
  CHECK(ended.size() == 20);

  AnnouncedAnswers answers(4096);
  for (int round = 0; round < 1000; ++round) {
    const std::string id = "r" + std::to_string(round % 7);
    for (const Json& event : {Json{{"type", "response.created"},
                                   {"response", {{"id", id}, {"x", std::string(700, 'x')}}}},
                              Json{{"type", "response.output_item.added"},
                                   {"response_id", id},
                                   {"item", {{"id", "i" + id}, {"x", std::string(90, 'x')}}}},
                              Json{{"type", "response.function_call_arguments.delta"},
                                   {"item_id", "i" + id},
                                   {"delta", std::string(300, 'x')}},
                              Json{{"type", "response.content_part.added"},
                                   {"item_id", "i" + id},
                                   {"content_index", round}}}) {
      answers.see(event["type"].get<std::string>(), event.dump());
      REQUIRE(answers.bytes() <= 4096);
    }
    if (round % 5 == 0) answers.see("response.done", Json{{"response", {{"id", id}}}}.dump());
  }
  for (int i = 0; i < 7; ++i)
    answers.see("response.done", Json{{"response", {{"id", "r" + std::to_string(i)}}}}.dump());
  CHECK(answers.empty());
  CHECK(answers.bytes() == 0);
}

TEST_CASE("invalid events of an answer do no harm", "[P11][cut]") {
  for (
      const char* odd :
      {R"({"type":"response.created","response":5})", R"({"type":"response.created"})",
       R"({"type":"response.output_item.added","response_id":"r1","item":{"id":7}})",
       R"({"type":"response.output_item.added","response_id":"r1","output_index":-1,"item":{"id":"a1","type":5,"status":[],"content":"x"}})",
       R"({"type":"response.output_item.added","response_id":"r1","output_index":9e99,"item":{"id":"a1","type":"function_call","name":{},"call_id":null}})",
       R"({"type":"response.output_item.added","response_id":"r1","item":{"id":"a1","text":"\ud83d"}})",
       R"({"type":"response.created","response":{"id":"r1","output_modalities":"audio"}})",
       R"({"type":"conversation.item.added","previous_item_id":{},"item":{"id":"a1"}})"}) {
    CAPTURE(odd);
    Stage stage(with_reconnect());
    stage.open();
    stage.provider(odd);
    stage.provider(first_delta);
    const auto received = lose(stage);
    REQUIRE_FALSE(received.empty());
    CHECK(received.back()["type"] == "response.done");
    CHECK_FALSE(stage.session.ended());
  }
}
