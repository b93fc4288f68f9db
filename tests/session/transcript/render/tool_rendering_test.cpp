// Tool calls for people and programs: in their places, and counted separately.
#include <catch2/catch.hpp>

#include "base/json/tree.hpp"
#include "session/transcript/merge/merge.hpp"
#include "session/transcript/render/render.hpp"
#include "tests/session/transcript/stream.hpp"

using namespace verbatim;
using namespace verbatim::session::test;
using namespace verbatim::transcript;

namespace {

ToolCall weather() {
  ToolCall call;
  call.after = 1;
  call.item_id = "f1";
  call.call_id = "call_1";
  call.name = "get_weather";
  call.arguments = text(R"({"city":"Oslo"})");
  call.output = text("4\nand *rain*");
  call.status = ToolStatus::completed;
  call.response_id = "resp_1";
  call.started_at = 1000;
  call.ended_at = 1500;
  return call;
}

ToolCall handbook() {
  ToolCall call;
  call.after = 2;
  call.item_id = "m1";
  call.kind = ToolKind::mcp;
  call.name = "find";
  call.server = "handbook";
  call.arguments = text("{}");
  call.status = ToolStatus::failed;
  call.error = text(R"({"type":"http_error","code":502})");
  call.approval = ToolApproval{"q1", true, text("fine")};
  return call;
}

FinalTranscript conversation_with_tools() {
  FinalTranscript heard;
  for (const char* words : {"Weather?", "Four degrees.", "Thanks."}) {
    Turn& turn = heard.turns.emplace_back();
    turn.ordinal = static_cast<int>(heard.turns.size());
    turn.item_id = "i" + std::to_string(turn.ordinal);
    turn.role = turn.ordinal == 2 ? Role::assistant : Role::user;
    turn.status = TurnStatus::completed;
    turn.text = text(words);
  }
  heard.tool_calls = {weather(), handbook()};
  heard.complete = true;
  return heard;
}

TranscriptView sample_with_tools() {
  TranscriptView view;
  view.session_id = "sess_1";
  view.status = SessionStatus::final;
  view.show(merge(conversation_with_tools(), {}));
  return view;
}

}  // namespace

TEST_CASE("JSON has the tool calls beside the turns", "[tools][render]") {
  const Json shown = Json::parse(render(sample_with_tools(), Format::json));
  REQUIRE(shown["turns"].size() == 3);
  CHECK(shown["tool_calls"][0] == Json::parse(R"({"after":1,"item_id":"f1","call_id":"call_1",
    "kind":"function","name":"get_weather","arguments":"{\"city\":\"Oslo\"}",
    "output":"4\nand *rain*","status":"completed","response_id":"resp_1",
    "started_at":"1970-01-01T00:00:01.000Z","ended_at":"1970-01-01T00:00:01.500Z"})"));
  CHECK(shown["tool_calls"][1] == Json::parse(R"({"after":2,"item_id":"m1","call_id":null,
    "kind":"mcp","name":"find","arguments":"{}","output":null,"status":"failed",
    "response_id":null,"started_at":null,"ended_at":null,"server_label":"handbook",
    "error":{"type":"http_error","code":502},
    "approval":{"request_id":"q1","approve":true,"reason":"fine"}})"));
}

TEST_CASE("JSON lines have a line for each tool call, in its place", "[tools][render]") {
  const auto view = sample_with_tools();
  for (const std::string& lines :
       {render(view, Format::jsonl), render("sess_1", {&view, 1}, Format::jsonl)}) {
    std::string order;
    for (std::size_t at = 0, end; (end = lines.find('\n', at)) != lines.npos; at = end + 1) {
      const Json line = Json::parse(lines.substr(at, end - at));
      order += line.contains("kind") ? line["name"].get<std::string>() + " "
                                     : std::to_string(line["ordinal"].get<int>()) + " ";
    }
    CHECK(order == "1 get_weather 2 find 3 ");
  }
}

TEST_CASE("text shows tool calls in their places", "[tools][render]") {
  CHECK(render(sample_with_tools(), Format::text) ==
        "User: Weather?\n"
        "Tool get_weather: {\"city\":\"Oslo\"}\n"
        "    -> 4\n    and *rain*\n"
        "Assistant: Four degrees.\n"
        "Tool find (handbook) [approved, failed]: {}\n"
        "    error: {\"type\":\"http_error\",\"code\":502}\n"
        "User: Thanks.\n");
}

TEST_CASE("Markdown shows tool calls in their places, with their text escaped", "[tools][render]") {
  const std::string page = render(sample_with_tools(), Format::markdown);
  const auto call = page.find(
      "**Tool get\\_weather:** {\"city\":\"Oslo\"}  \n\xE2\x86\x92 4  \nand "
      "\\*rain\\*\n");
  CHECK(call != page.npos);
  CHECK(page.find("Weather?") < call);
  CHECK(call < page.find("Four degrees"));
  CHECK(page.find("_(approved, failed)_") != page.npos);
}

TEST_CASE("the receipt counts tool calls apart, and its hash is of the turns alone",
          "[tools][receipt]") {
  auto heard = conversation_with_tools();
  heard.tool_calls.push_back(weather());
  heard.tool_calls.back().status = ToolStatus::unanswered;
  const auto receipt = receipt_of("sess_1", 1, merge(heard, {}));
  CHECK(receipt.committed == 3);
  CHECK(receipt.failed == 0);
  CHECK(receipt.tool_calls == 3);
  CHECK(receipt.tool_calls_failed == 1);
  CHECK(receipt.tool_calls_unanswered == 1);
  heard.tool_calls.clear();
  CHECK(receipt_of("sess_1", 1, merge(heard, {})).sha256 == receipt.sha256);
}

TEST_CASE("a tool call stays behind its turn when copies bring turns of their own",
          "[P3][tools][merge]") {
  Copy copy{"agent", {}};
  for (const char* words : {"Hello before all that.", "Weather?", "One moment, please, I look.",
                            "Four degrees.", "Thanks."}) {
    CopyTurn& turn = copy.turns.emplace_back();
    turn.ordinal = static_cast<int>(copy.turns.size());
    turn.role = turn.ordinal == 2 || turn.ordinal == 5 ? Role::user : Role::assistant;
    turn.text = text(words);
  }
  const auto merged = merge(conversation_with_tools(), {copy});
  REQUIRE(merged.turns.size() == 5);
  for (const ToolCall& call : merged.tool_calls) {
    INFO(call.name);
    const std::string behind = call.name == "find" ? "Four degrees." : "Weather?";
    CHECK(merged.turns.at(static_cast<std::size_t>(call.after) - 1).text == text(behind));
  }
}

TEST_CASE("a call with odd names and bytes is shown too", "[tools][render]") {
  auto view = sample_with_tools();
  view.tool_calls[0].name = "two\nlines\xFF";
  view.tool_calls[0].arguments = text("\xED\xA0\xBD");
  view.tool_calls[1].error = text("no JSON");
  const Json shown = Json::parse(render(view, Format::json));
  CHECK(shown["tool_calls"][0]["arguments"] == "\xEF\xBF\xBD");
  CHECK(shown["tool_calls"][1]["error"] == "no JSON");
  CHECK(render(view, Format::text).find("Tool two lines") != std::string::npos);
}
