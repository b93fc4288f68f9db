// Which tool call an event belongs to when a server or gateway names items in its own way or not at
// all.
#include <catch2/catch.hpp>

#include "base/json/tree.hpp"
#include "session/protocol/openai/event_reader.hpp"
#include "tests/session/transcript/stream.hpp"

using namespace verbatim;
using namespace verbatim::protocol;
using namespace verbatim::session::test;
using namespace verbatim::transcript;

namespace {

const std::string whole_arguments = R"({"a":1})";

Json function(const std::string& id = "f1", const std::string& arguments = "",
              const std::string& call_id = "k1") {
  Json item = {{"type", "function_call"},
               {"status", arguments.empty() ? "in_progress" : "completed"},
               {"call_id", call_id},
               {"name", "go"},
               {"arguments", arguments}};
  if (!id.empty()) item["id"] = id;
  return item;
}

Json library_call(const std::string& id, const std::string& arguments = "") {
  Json item = function(id, arguments);
  item["type"] = "mcp_call";
  item["server_label"] = "library";
  item.erase("call_id");
  return item;
}

/// A provider with ids that the test chooses.
class Server {
 public:
  Server() { say("session.created", {{"session", {{"id", "sess_1"}}}}); }

  /// A message that is not an event does nothing, as in a session.
  Server& say(const std::string& type, Json members) {
    members["type"] = type;
    if (const auto event = read_server_event(members.dump())) {
      transcript_.apply(*event, ++now_);
      journal_.push_back(*event);
    }
    return *this;
  }
  Server& begin(const std::string& response = "r1") {
    return say("response.created", {{"response", {{"id", response}, {"conversation_id", "c"}}}});
  }
  Server& announce(const Json& item, int index = 0, const std::string& response = "r1") {
    say("response.output_item.added",
        {{"response_id", response}, {"output_index", index}, {"item", item}});
    return place(item);
  }
  Server& place(const Json& item) {
    return say("conversation.item.added", {{"previous_item_id", nullptr}, {"item", item}});
  }
  /// Arguments in two pieces and then whole; `id`: of the item, a new one for each event if it is
  /// "*".
  Server& argue(const Json& ids, const std::string& id = "", bool of_mcp = false,
                const std::string& arguments = whole_arguments) {
    const std::string name =
        of_mcp ? "response.mcp_call_arguments." : "response.function_call_arguments.";
    const auto with_id = [&](Json members) {
      members.update(ids);
      if (id == "*") members["item_id"] = "x" + std::to_string(++ids_);
      if (!id.empty() && id != "*") members["item_id"] = id;
      return members;
    };
    say(name + "delta", with_id({{"delta", arguments.substr(0, 4)}}));
    say(name + "delta", with_id({{"delta", arguments.substr(4)}}));
    return say(name + "done", with_id({{"arguments", arguments}}));
  }
  Server& end(const Json& output = Json::array(), const std::string& response = "r1") {
    return say("response.done", {{"response",
                                  {{"id", response},
                                   {"conversation_id", "c"},
                                   {"status", "completed"},
                                   {"output", output}}}});
  }
  std::vector<ToolCall> calls() {
    auto calls = transcript_.contents().tool_calls;
    Transcript again;  // folded again, as in a recovery
    TimeMs at = 0;
    for (const Event& event : journal_) again.apply(event, ++at);
    CHECK(again.contents().tool_calls == calls);
    return calls;
  }
  /// "go {"a":1} | ...": names and arguments in order.
  std::string glance() {
    std::string all;
    for (const ToolCall& call : calls())
      all += (all.empty() ? "" : " | ") + call.name + " " + call.arguments.utf8();
    return all;
  }
  const Transcript& transcript() const { return transcript_; }

 private:
  Transcript transcript_;
  TimeMs now_ = 0;
  int ids_ = 0;
  std::vector<Event> journal_;
};

const std::vector<Json> few_ids = {{{"response_id", "r1"}, {"call_id", "k1"}},
                                   {{"response_id", "r1"}, {"output_index", 0}},
                                   {{"call_id", "k1"}},
                                   {{"response_id", "r1"}},
                                   {{"output_index", 0}},
                                   Json::object()};

}  // namespace

TEST_CASE("arguments without an item's id belong to the call of their response",
          "[P4][P13][tools][owner]") {
  for (const Json& ids : few_ids) {
    INFO(ids.dump());
    Server server;
    server.begin().announce(function()).argue(ids).end();
    CHECK(server.glance() == "go " + whole_arguments);
    CHECK(server.calls().at(0).item_id == "f1");
  }
}

TEST_CASE("MCP arguments and progress without an item's id belong to the call of their response",
          "[P4][P13][tools][mcp][owner]") {
  for (const Json& ids : few_ids) {
    if (ids.contains("call_id")) continue;
    INFO(ids.dump());
    Server server;
    server.begin().announce(library_call("m1")).argue(ids, "", true);
    server.say("response.mcp_call.in_progress", ids);
    CHECK(server.calls().at(0).status == ToolStatus::in_progress);
    server.say("response.mcp_call.completed", ids).end();
    CHECK(server.glance() == "go " + whole_arguments);
    CHECK(server.calls().at(0).item_id == "m1");
    CHECK(server.calls().at(0).status == ToolStatus::completed);
  }
}

TEST_CASE("arguments are one call even if each of their events has another item id",
          "[P4][tools][owner]") {
  for (const bool announced : {false, true}) {
    for (const Json& ids :
         {Json{{"response_id", "r1"}, {"output_index", 0}, {"call_id", "k1"}, {"name", "go"}},
          Json{{"response_id", "r1"}, {"output_index", 0}, {"name", "go"}},
          Json{{"response_id", "r1"}, {"call_id", "k1"}, {"name", "go"}}}) {
      INFO(announced << ids.dump());
      Server server;
      server.begin();
      if (announced) {
        server.say("response.output_item.added",
                   {{"response_id", "r1"}, {"output_index", 0}, {"item", function("y1")}});
        server.place(function("y2"));
      }
      server.argue(ids, "*");
      CHECK(server.glance() == "go " + whole_arguments);
      server.say(
          "response.output_item.done",
          {{"response_id", "r1"}, {"output_index", 0}, {"item", function("y3", whole_arguments)}});
      server.say("conversation.item.done", {{"item", function("y4", whole_arguments)}});
      server.end(Json::array({function("y5", whole_arguments)}));
      server.say("conversation.item.done", {{"item", function("y6", whole_arguments)}});
      CHECK(server.glance() == "go " + whole_arguments);
    }
  }
}

TEST_CASE("a call is never missing, even if only one of its events comes", "[P13][tools][owner]") {
  const std::string done = "response.function_call_arguments.done";
  const Json whole_call = {{"arguments", whole_arguments}, {"name", "go"}};
  for (const Json& ids : few_ids) {
    INFO(ids.dump());
    Server server;
    Json members = whole_call;
    members.update(ids);
    server.begin().say(done, members).end();
    CHECK(server.glance() == "go " + whole_arguments);
    Server without_response;
    without_response.say(done, members);
    CHECK(without_response.glance() == "go " + whole_arguments);
  }
  Server in_output;
  in_output.begin().end(Json::array({function("", whole_arguments)}));
  CHECK(in_output.glance() == "go " + whole_arguments);
  Server repeated;
  repeated.begin().say(
      "response.output_item.done",
      {{"response_id", "r1"}, {"output_index", 0}, {"item", function("", whole_arguments)}});
  repeated.say("conversation.item.done", {{"item", function("", whole_arguments)}});
  repeated.end(Json::array({function("", whole_arguments)}));
  CHECK(repeated.glance() == "go " + whole_arguments);
  Server placed;
  placed.place(function("", whole_arguments))
      .say("conversation.item.done", {{"item", function("", whole_arguments)}});
  CHECK(placed.glance() == "go " + whole_arguments);
  Server as_json;
  as_json.begin().say(done, {{"response_id", "r1"}, {"name", "go"}, {"arguments", {{"a", 1}}}});
  CHECK(as_json.glance() == "go " + whole_arguments);
}

TEST_CASE("several calls of one response stay apart by index or call id", "[P4][tools][owner]") {
  for (const bool by_index : {true, false}) {
    for (const std::string id : {"", "*"}) {
      INFO(by_index << id);
      const auto ids = [by_index](int n) {
        return by_index ? Json{{"response_id", "r1"}, {"output_index", n}}
                        : Json{{"response_id", "r1"}, {"call_id", "k" + std::to_string(n)}};
      };
      Server server;
      server.begin().announce(function("f0", "", "k0"), 0).announce(function("f1", "", "k1"), 1);
      const std::string args = "response.function_call_arguments.";
      int n = 0;
      const auto report = [&](const char* what, int call, Json members) {
        members.update(ids(call));
        if (id == "*") members["item_id"] = "x" + std::to_string(++n);
        server.say(args + what, members);
      };
      report("delta", 0, {{"delta", "{\"n\""}});
      report("delta", 1, {{"delta", "{\"m\""}});
      report("delta", 0, {{"delta", ":0}"}});
      report("delta", 1, {{"delta", ":1}"}});
      CHECK(server.glance() == R"(go {"n":0} | go {"m":1})");
      report("done", 1, {{"arguments", R"({"m":1})"}});
      report("done", 0, {{"arguments", R"({"n":0})"}});
      server.end();
      CHECK(server.glance() == R"(go {"n":0} | go {"m":1})");
    }
  }
  Server one_after_another;  // without any id, and with equal texts
  one_after_another.begin().announce(function("f0", "", "k0"), 0).argue(Json::object());
  one_after_another.announce(function("f1", "", "k1"), 1).argue(Json::object()).end();
  CHECK(one_after_another.glance() == "go " + whole_arguments + " | go " + whole_arguments);
}

TEST_CASE("one item id for a call and for words, or for two calls, loses neither",
          "[P13][tools][owner]") {
  Server server;
  const Json said = {{"id", "item_0"},
                     {"type", "message"},
                     {"role", "assistant"},
                     {"status", "completed"},
                     {"content", Json::array({{{"type", "output_text"}, {"text", "Wait."}}})}};
  server.begin().announce(said).announce(function("item_0"), 1);
  server.argue({{"response_id", "r1"}, {"output_index", 1}, {"call_id", "k1"}}, "item_0");
  server.end(Json::array({said, function("item_0", whole_arguments)}));
  const std::string other = R"({"b":2})";
  server.begin("r2").announce(function("item_0", "", "k2"), 0, "r2");
  server.argue({{"response_id", "r2"}, {"output_index", 0}, {"call_id", "k2"}}, "item_0", false,
               other);
  server.end(Json::array({function("item_0", other, "k2")}), "r2");
  CHECK(server.glance() == "go " + whole_arguments + " | go " + other);
  REQUIRE(server.transcript().turns().size() == 1);
  CHECK(server.transcript().turns()[0].text == text("Wait."));
  Server words_last;
  words_last.begin().announce(function("item_0")).argue({{"response_id", "r1"}}, "item_0");
  words_last.say("response.output_text.done",
                 {{"response_id", "r1"}, {"item_id", "item_0"}, {"text", "Done."}});
  words_last.end();
  CHECK(words_last.glance() == "go " + whole_arguments);
  REQUIRE(words_last.transcript().turns().size() == 1);
  CHECK(words_last.transcript().turns()[0].text == text("Done."));
}

TEST_CASE("call ids and indexes that restart with each response are that response's",
          "[P4][tools][owner]") {
  Server server;
  for (const std::string n : {"1", "2", "3"}) {
    server.begin("r" + n);
    server.say(
        "response.output_item.added",
        {{"response_id", "r" + n}, {"output_index", 0}, {"item", function("", "", "call_0")}});
    server.argue({{"response_id", "r" + n}, {"call_id", "call_0"}}, "", false, "{\"n\":" + n + "}");
    server.end(Json::array({function("", "{\"n\":" + n + "}", "call_0")}), "r" + n);
  }
  CHECK(server.glance() == R"(go {"n":1} | go {"n":2} | go {"n":3})");
}

TEST_CASE("an output without an item id, or repeated under another, answers its call once",
          "[P13][tools][owner]") {
  for (const bool with_id : {false, true}) {
    Server server;
    server.begin().announce(function()).argue({{"response_id", "r1"}}).end();
    Json output = {{"type", "function_call_output"}, {"call_id", "k1"}, {"output", "12"}};
    if (with_id) output["id"] = "o1";
    server.place(output);
    if (with_id) output["id"] = "o2";
    server.say("conversation.item.done", {{"item", output}});
    const auto calls = server.calls();
    REQUIRE(calls.size() == 1);
    CHECK(calls[0].output == text("12"));
    CHECK(calls[0].status == ToolStatus::completed);
  }
}
