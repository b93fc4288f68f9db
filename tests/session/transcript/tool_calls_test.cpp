// The tool calls of a conversation, from the provider's own events.
#include <catch2/catch.hpp>

#include "base/json/tree.hpp"
#include "session/protocol/openai/event_reader.hpp"
#include "tests/session/transcript/stream.hpp"
#include "tests/support/memory_spill.hpp"

using namespace verbatim;
using namespace verbatim::protocol;
using namespace verbatim::session::test;
using namespace verbatim::transcript;

namespace {

/// The provider's messages, a millisecond apart.
class ToolProvider {
 public:
  Transcript transcript;
  TimeMs now = 0;

  ToolProvider& say(const Json& message) {
    const auto event = read_server_event(message.dump());
    INFO(message.dump().substr(0, 200));
    REQUIRE(event);
    transcript.apply(*event, ++now);
    return *this;
  }
  ToolProvider& place(const Json& item, const Json& previous = nullptr) {
    return say(
        {{"type", "conversation.item.added"}, {"previous_item_id", previous}, {"item", item}});
  }
  ToolProvider& done(const Json& item, const std::string& response = "r1") {
    return say({{"type", "response.output_item.done"}, {"response_id", response}, {"item", item}});
  }
  ToolProvider& typed_turn(const std::string& id, const Json& previous = nullptr) {
    return place({{"id", id},
                  {"type", "message"},
                  {"role", "user"},
                  {"status", "completed"},
                  {"content", Json::array({{{"type", "input_text"}, {"text", id}}})}},
                 previous);
  }
  std::vector<ToolCall> calls() const { return transcript.contents().tool_calls; }
  std::vector<ToolCall> end() { return finalise(transcript, ++now).tool_calls; }
};

Json weather_call(const std::string& arguments, const std::string& status = "completed",
                  const std::string& id = "f1", const std::string& call_id = "call_1") {
  return {{"id", id},          {"type", "function_call"}, {"status", status},
          {"name", "weather"}, {"call_id", call_id},      {"arguments", arguments}};
}

Json answer(const Json& output, const std::string& id = "o1",
            const std::string& call_id = "call_1") {
  return {{"id", id}, {"type", "function_call_output"}, {"call_id", call_id}, {"output", output}};
}

Json handbook_call(const Json& more, const std::string& id = "m1") {
  Json item = {{"id", id},
               {"type", "mcp_call"},
               {"name", "find"},
               {"server_label", "handbook"},
               {"arguments", R"({"q":"leave"})"}};
  item.update(more);
  return item;
}

/// A request, a call and its output, as the provider sends them.
ToolProvider& whole_round(ToolProvider& provider) {
  provider.typed_turn("u1");
  provider.say({{"type", "response.created"}, {"response", {{"id", "r1"}}}});
  provider.say({{"type", "response.output_item.added"},
                {"response_id", "r1"},
                {"item", weather_call("", "in_progress")}});
  provider.place(weather_call("", "in_progress"), "u1");
  for (const char* piece : {R"({"city")", R"(:"Oslo"})"})
    provider.say({{"type", "response.function_call_arguments.delta"},
                  {"response_id", "r1"},
                  {"item_id", "f1"},
                  {"call_id", "call_1"},
                  {"delta", piece}});
  provider.say({{"type", "response.function_call_arguments.done"},
                {"response_id", "r1"},
                {"item_id", "f1"},
                {"call_id", "call_1"},
                {"name", "weather"},
                {"arguments", R"({"city":"Oslo"})"}});
  provider.done(weather_call(R"({"city":"Oslo"})"));
  provider.place(answer(R"({"t":4})"), "f1");
  return provider;
}

}  // namespace

TEST_CASE("a function call has its arguments, its output, its place and its times", "[P4][tools]") {
  ToolProvider provider;
  whole_round(provider).typed_turn("u2", "o1");
  const auto calls = provider.end();
  REQUIRE(calls.size() == 1);
  const ToolCall& one = calls[0];
  CHECK(one.kind == ToolKind::function);
  CHECK(one.after == 1);
  CHECK(one.item_id == "f1");
  CHECK(one.call_id == "call_1");
  CHECK(one.name == "weather");
  CHECK(one.arguments == text(R"({"city":"Oslo"})"));
  CHECK(one.output == text(R"({"t":4})"));
  CHECK(one.status == ToolStatus::completed);
  CHECK(one.response_id == "r1");
  CHECK(one.started_at == 3);
  CHECK(one.ended_at == 9);
  CHECK(provider.transcript.turns().size() == 2);
}

TEST_CASE("a call without an output is in progress, and unanswered at the end", "[P2][tools]") {
  ToolProvider provider;
  provider.place(weather_call("{}"));
  CHECK(provider.calls().at(0).status == ToolStatus::in_progress);
  const auto calls = provider.end();
  CHECK(calls.at(0).status == ToolStatus::unanswered);
  CHECK(calls.at(0).after == 0);
  CHECK_FALSE(calls.at(0).output);
  CHECK_FALSE(calls.at(0).ended_at);
}

TEST_CASE("arguments that came only in pieces are kept", "[P2][tools]") {
  const bool with_done = GENERATE(false, true);
  ToolProvider provider;
  provider.say({{"type", "response.created"}, {"response", {{"id", "r1"}}}});
  for (const char* piece : {"{\"a\"", ":1", "}"})
    provider.say({{"type", "response.function_call_arguments.delta"},
                  {"response_id", "r1"},
                  {"item_id", "f1"},
                  {"call_id", "call_1"},
                  {"delta", piece}});
  if (with_done)
    provider.say({{"type", "response.function_call_arguments.done"},
                  {"response_id", "r1"},
                  {"item_id", "f1"},
                  {"call_id", "call_1"},
                  {"name", "f"},
                  {"arguments", "{\"a\":1}"}});
  const auto calls = provider.end();
  REQUIRE(calls.size() == 1);
  CHECK(calls[0].arguments == text("{\"a\":1}"));
  CHECK(calls[0].name == (with_done ? "f" : ""));
  CHECK(calls[0].call_id == "call_1");
  CHECK(calls[0].response_id == "r1");
  CHECK(calls[0].status == ToolStatus::unanswered);
}

TEST_CASE("an output answers its call however late, and on any connection", "[P8][tools]") {
  ToolProvider provider;
  whole_round(provider);
  provider.place(weather_call("{}", "completed", "f2", "call_2"), "o1");
  provider.typed_turn("u2", "f2");
  provider.transcript.apply({{}, UpstreamLost{"upstream_lost"}}, ++provider.now);
  provider.say({{"type", "session.created"}, {"session", {{"id", "sess_2"}}}});
  provider.place(weather_call("{}", "completed", "f2", "call_2"));
  provider.place(answer("late", "o2", "call_2"), "u2");
  const auto calls = provider.end();
  REQUIRE(calls.size() == 2);
  CHECK(calls[0].output == text(R"({"t":4})"));
  CHECK(calls[1].output == text("late"));
  CHECK(calls[1].after == 1);
  CHECK(calls[1].status == ToolStatus::completed);
}

TEST_CASE("call ids that a provider restarts for each response answer the nearest call",
          "[P4][tools]") {
  ToolProvider provider;
  for (const char* round : {"1", "2", "3"}) {
    const std::string n = round;
    provider.place(weather_call("{\"n\":" + n + "}", "completed", "f" + n, "call_0"), "none");
    provider.place(answer("out " + n, "o" + n, "call_0"), "none");
  }
  const auto calls = provider.end();
  REQUIRE(calls.size() == 3);
  for (std::size_t i = 0; i < 3; ++i)
    CHECK(calls[i].output == text("out " + std::to_string(i + 1)));
}

TEST_CASE("an output without its call is kept", "[P13][tools]") {
  ToolProvider provider;
  provider.place(answer("from before", "o0", "call_before"));
  provider.typed_turn("u1", "o0");
  const auto calls = provider.end();
  REQUIRE(calls.size() == 1);
  CHECK(calls[0].item_id == "o0");
  CHECK(calls[0].call_id == "call_before");
  CHECK(calls[0].output == text("from before"));
  CHECK(calls[0].status == ToolStatus::completed);
}

TEST_CASE("an output before its call still answers it", "[P4][tools]") {
  ToolProvider provider;
  provider.place(answer("4"), "none");
  provider.place(weather_call("{}"), "none");
  const auto calls = provider.end();
  REQUIRE(calls.size() == 1);
  CHECK(calls[0].item_id == "f1");
  CHECK(calls[0].output == text("4"));
}

TEST_CASE("a call that its response did not finish has failed", "[tools]") {
  const std::string status = GENERATE("cancelled", "failed", "incomplete");
  ToolProvider provider;
  provider.say({{"type", "response.created"}, {"response", {{"id", "r1"}}}});
  provider.say({{"type", "response.output_item.added"},
                {"response_id", "r1"},
                {"item", weather_call("", "in_progress")}});
  provider.say({{"type", "response.function_call_arguments.delta"},
                {"response_id", "r1"},
                {"item_id", "f1"},
                {"delta", "{\"ci"}});
  provider.say({{"type", "response.done"}, {"response", {{"id", "r1"}, {"status", status}}}});
  const auto calls = provider.end();
  CHECK(calls.at(0).status == ToolStatus::failed);
  CHECK(calls.at(0).arguments == text("{\"ci"));
}

TEST_CASE("arguments and outputs that are not strings are kept as JSON", "[tools]") {
  ToolProvider provider;
  Json odd = weather_call("");
  odd["arguments"] = {{"city", "Oslo"}};
  provider.place(odd);
  provider.place(answer({{"t", 4}}), "f1");
  const auto calls = provider.end();
  CHECK(calls.at(0).arguments == text(R"({"city":"Oslo"})"));
  CHECK(calls.at(0).output == text(R"({"t":4})"));
}

TEST_CASE("an empty output is an output", "[tools]") {
  ToolProvider provider;
  provider.place(weather_call("{}")).place(answer(""), "f1");
  const auto calls = provider.end();
  REQUIRE(calls.at(0).output);
  CHECK(calls.at(0).output->empty());
  CHECK(calls.at(0).status == ToolStatus::completed);
}

TEST_CASE("a tool call of an out-of-band response is not part of the conversation", "[tools]") {
  ToolProvider provider;
  provider.say(
      {{"type", "response.created"}, {"response", {{"id", "r1"}, {"conversation_id", nullptr}}}});
  provider.done(weather_call("{}"));
  CHECK(provider.end().empty());
}

TEST_CASE("a deleted call stays, flagged", "[tools]") {
  ToolProvider provider;
  whole_round(provider).say({{"type", "conversation.item.deleted"}, {"item_id", "f1"}});
  const auto calls = provider.end();
  CHECK(calls.at(0).deleted);
  CHECK(calls.at(0).output == text(R"({"t":4})"));
}

TEST_CASE("large arguments and outputs are kept whole, in memory and in the spill",
          "[P11][tools]") {
  const bool spilled = GENERATE(false, true);
  ToolProvider provider;
  if (spilled)
    provider.transcript.spill_to(
        std::make_unique<MemorySpill>(std::make_shared<MemorySpill::Control>()), 1);
  const std::string arguments = R"({"text":")" + std::string(200'000, 'a') + "\"}";
  const std::string output(800'000, 'o');
  provider.place(weather_call(arguments)).place(answer(output), "f1");
  for (int i = 0; i < 20; ++i) provider.typed_turn("u" + std::to_string(i), "none");
  const auto calls = provider.end();
  CHECK(calls.at(0).arguments.size_bytes() == arguments.size());
  CHECK(calls.at(0).output == text(output));
}

TEST_CASE("pieces of large arguments are kept in the spill too", "[P11][tools]") {
  ToolProvider provider;
  provider.transcript.spill_to(
      std::make_unique<MemorySpill>(std::make_shared<MemorySpill::Control>()), 1);
  std::string whole;
  for (int i = 0; i < 200; ++i) {
    const std::string piece(1000, static_cast<char>('a' + i % 26));
    whole += piece;
    provider.say({{"type", "response.function_call_arguments.delta"},
                  {"item_id", "f1"},
                  {"call_id", "call_1"},
                  {"delta", piece}});
  }
  provider.transcript.apply({{}, UpstreamLost{"upstream_lost"}}, ++provider.now);
  for (int i = 0; i < 20; ++i) provider.typed_turn("u" + std::to_string(i), "none");
  CHECK(provider.end().at(0).arguments == text(whole));
}

// ---- MCP -----------------------------------------------------------------------------------

TEST_CASE("an MCP call has its server, arguments, output and end", "[tools][mcp]") {
  ToolProvider provider;
  provider.typed_turn("u1");
  provider.say({{"type", "response.created"}, {"response", {{"id", "r1"}}}});
  provider.place(handbook_call({{"status", "in_progress"}, {"arguments", ""}}), "u1");
  provider.say({{"type", "response.mcp_call_arguments.delta"},
                {"response_id", "r1"},
                {"item_id", "m1"},
                {"delta", R"({"q":"leave"})"}});
  provider.say({{"type", "response.mcp_call_arguments.done"},
                {"response_id", "r1"},
                {"item_id", "m1"},
                {"arguments", R"({"q":"leave"})"}});
  CHECK(provider.calls().at(0).status == ToolStatus::in_progress);
  CHECK(provider.calls().at(0).arguments == text(R"({"q":"leave"})"));
  provider.say({{"type", "response.mcp_call.in_progress"}, {"item_id", "m1"}});
  provider.say({{"type", "response.mcp_call.completed"}, {"item_id", "m1"}});
  const Json whole =
      handbook_call({{"status", "completed"}, {"output", "Thirty days."}, {"error", nullptr}});
  provider.say({{"type", "conversation.item.done"}, {"item", whole}});
  // The response repeats the item as it was before the server answered.
  provider.done(handbook_call({{"status", "completed"}, {"output", nullptr}}));
  const auto calls = provider.end();
  REQUIRE(calls.size() == 1);
  CHECK(calls[0].kind == ToolKind::mcp);
  CHECK(calls[0].server == "handbook");
  CHECK(calls[0].name == "find");
  CHECK(calls[0].after == 1);
  CHECK(calls[0].output == text("Thirty days."));
  CHECK(calls[0].status == ToolStatus::completed);
  CHECK(calls[0].started_at == 3);
  CHECK(calls[0].ended_at == 7);
  CHECK(calls[0].response_id == "r1");
}

TEST_CASE("an MCP call that failed says so, with the error that came", "[tools][mcp]") {
  const bool by_event = GENERATE(false, true);
  ToolProvider provider;
  provider.place(handbook_call({{"status", "in_progress"}}));
  const Json error = {{"type", "http_error"}, {"code", 502}, {"message", "bad gateway"}};
  if (by_event)
    provider.say({{"type", "response.mcp_call.failed"}, {"item_id", "m1"}});
  else
    provider.say({{"type", "conversation.item.done"},
                  {"item", handbook_call({{"error", error}, {"status", "incomplete"}})}});
  const auto calls = provider.end();
  CHECK(calls.at(0).status == ToolStatus::failed);
  CHECK(calls.at(0).ended_at == 2);
  if (!by_event) CHECK(Json::parse(calls.at(0).error.utf8()) == error);
}

TEST_CASE("an MCP call that the end cut off is unanswered", "[P2][tools][mcp]") {
  ToolProvider provider;
  provider.place(handbook_call({{"status", "in_progress"}}));
  provider.say({{"type", "response.mcp_call.in_progress"}, {"item_id", "m1"}});
  const auto calls = provider.end();
  CHECK(calls.at(0).status == ToolStatus::unanswered);
  CHECK_FALSE(calls.at(0).ended_at);
}

TEST_CASE("an approved MCP call and its approval request are one entry", "[tools][mcp]") {
  ToolProvider provider;
  provider.place({{"id", "q1"},
                  {"type", "mcp_approval_request"},
                  {"name", "find"},
                  {"server_label", "handbook"},
                  {"arguments", "{}"}});
  CHECK(provider.calls().at(0).status == ToolStatus::in_progress);
  CHECK_FALSE(provider.calls().at(0).approval->approved);
  provider.place({{"id", "a1"},
                  {"type", "mcp_approval_response"},
                  {"approval_request_id", "q1"},
                  {"approve", true},
                  {"reason", "fine"}},
                 "q1");
  provider.place(handbook_call({{"approval_request_id", "q1"}, {"output", "Thirty."}}), "a1");
  const auto calls = provider.end();
  REQUIRE(calls.size() == 1);
  CHECK(calls[0].item_id == "m1");
  REQUIRE(calls[0].approval);
  CHECK(calls[0].approval->request_id == "q1");
  CHECK(calls[0].approval->approved == true);
  CHECK(calls[0].approval->reason == text("fine"));
}

TEST_CASE("a tool that was not approved has failed; one whose request got no answer is unanswered",
          "[tools][mcp]") {
  const bool denied = GENERATE(false, true);
  ToolProvider provider;
  provider.place({{"id", "q1"},
                  {"type", "mcp_approval_request"},
                  {"name", "find"},
                  {"server_label", "handbook"},
                  {"arguments", "{}"}});
  if (denied)
    provider.place({{"id", "a1"},
                    {"type", "mcp_approval_response"},
                    {"approval_request_id", "q1"},
                    {"approve", false}},
                   "q1");
  const auto calls = provider.end();
  REQUIRE(calls.size() == 1);
  CHECK(calls[0].status == (denied ? ToolStatus::failed : ToolStatus::unanswered));
  CHECK(calls[0].kind == ToolKind::mcp);
  CHECK(calls[0].approval->approved == (denied ? std::optional(false) : std::nullopt));
}

TEST_CASE("a list of tools is not taken for a call", "[tools][mcp]") {
  ToolProvider provider;
  provider.place({{"id", "l1"},
                  {"type", "mcp_list_tools"},
                  {"server_label", "handbook"},
                  {"tools", Json::array({{{"name", "find"}}})}});
  CHECK(provider.end().empty());
}
