// Clients that speak the beta protocol: every event name, and whole conversations. The shapes have
// their own file.
#include <catch2/catch.hpp>
#include <map>
#include <set>

#include "base/json/view.hpp"
#include "session/protocol/openai/event_reader.hpp"
#include "session/protocol/replay.hpp"
#include "tests/session/beta.hpp"
#include "tests/session/files.hpp"
#include "tests/session/stage.hpp"
#include "tests/support/rounds.hpp"

using namespace verbatim;
using namespace verbatim::protocol;
using namespace verbatim::session::test;
using namespace verbatim::transcript;

namespace {

const char* const same = "";
const char* const dropped = nullptr;

// All 46 GA names of server events, and the event that a beta client gets.
const std::map<std::string, const char*> server_names = {
    {"conversation.created", same},
    {"conversation.item.added", "conversation.item.created"},
    {"conversation.item.created", same},
    {"conversation.item.deleted", same},
    {"conversation.item.done", dropped},  // its content came with `added` and deltas
    {"conversation.item.input_audio_transcription.completed", same},
    {"conversation.item.input_audio_transcription.delta", same},
    {"conversation.item.input_audio_transcription.failed", same},
    {"conversation.item.input_audio_transcription.segment", dropped},  // repeats `completed`
    {"conversation.item.retrieved", same},
    {"conversation.item.truncated", same},
    {"error", same},
    {"input_audio_buffer.cleared", same},
    {"input_audio_buffer.committed", same},
    {"input_audio_buffer.dtmf_event_received", dropped},  // for telephone calls, GA only
    {"input_audio_buffer.speech_started", same},
    {"input_audio_buffer.speech_stopped", same},
    {"input_audio_buffer.timeout_triggered", dropped},  // for idle_timeout_ms, GA only
    {"mcp_list_tools.completed", dropped},              // MCP is GA only
    {"mcp_list_tools.failed", dropped},
    {"mcp_list_tools.in_progress", dropped},
    {"output_audio_buffer.cleared", same},
    {"output_audio_buffer.started", same},
    {"output_audio_buffer.stopped", same},
    {"rate_limits.updated", same},
    {"response.content_part.added", same},
    {"response.content_part.done", same},
    {"response.created", same},
    {"response.done", same},
    {"response.function_call_arguments.delta", same},
    {"response.function_call_arguments.done", same},
    {"response.mcp_call.completed", dropped},
    {"response.mcp_call.failed", dropped},
    {"response.mcp_call.in_progress", dropped},
    {"response.mcp_call_arguments.delta", dropped},
    {"response.mcp_call_arguments.done", dropped},
    {"response.output_audio.delta", "response.audio.delta"},
    {"response.output_audio.done", "response.audio.done"},
    {"response.output_audio_transcript.delta", "response.audio_transcript.delta"},
    {"response.output_audio_transcript.done", "response.audio_transcript.done"},
    {"response.output_item.added", same},
    {"response.output_item.done", same},
    {"response.output_text.delta", "response.text.delta"},
    {"response.output_text.done", "response.text.done"},
    {"session.created", same},
    {"session.updated", same},
};
const std::set<std::string> beta_only_server_names = {
    "response.audio.delta",           "response.audio.done", "response.audio_transcript.delta",
    "response.audio_transcript.done", "response.text.delta", "response.text.done",
    "transcription_session.created",  // observed, but in no list
    "transcription_session.updated",
};
const std::set<std::string> client_names = {"conversation.item.create",
                                            "conversation.item.delete",
                                            "conversation.item.retrieve",
                                            "conversation.item.truncate",
                                            "input_audio_buffer.append",
                                            "input_audio_buffer.clear",
                                            "input_audio_buffer.commit",
                                            "output_audio_buffer.clear",
                                            "response.cancel",
                                            "response.create",
                                            "session.update"};

bool is_beta_name(const std::string& name) {
  if (beta_only_server_names.contains(name)) return true;
  const auto known = server_names.find(name);
  return known != server_names.end() && known->second != nullptr && *known->second == '\0';
}

/// Without the members that only identify an item that is not a turn: its bytes.
Event without_detail(Event event) {
  std::visit(
      [](auto& body) {
        if constexpr (requires { body.item.detail; }) body.item.detail.clear();
        if constexpr (requires { body.output; })
          for (Item& item : body.output) item.detail.clear();
      },
      event.body);
  return event;
}

Recording in_beta(const Recording& recording) {
  Recording out;
  for (RecordedEvent event : recording.events) {
    if (event.direction == Direction::to_client) {
      // Dropped events only let time pass.
      event.event = beta_heard(event.event).value_or("{}");
    }
    out.events.push_back(std::move(event));
  }
  return out;
}

}  // namespace

TEST_CASE("every server event has its beta name or is left out for a reason", "[P9][dialect]") {
  for (const auto& [ga, beta] : server_names) {
    INFO(ga);
    const Json event = {{"event_id", "e"}, {"type", ga}, {"item_id", "i"}};
    const Json got = beta_heard(event);
    if (beta == nullptr) {
      CHECK(got.is_null());
    } else {
      CHECK(got["type"] == (*beta == '\0' ? ga : beta));
      CHECK(got["event_id"] == "e");
      CHECK(got["item_id"] == "i");
    }
  }
}

TEST_CASE("provider messages in beta, or in no known dialect, pass byte for byte",
          "[P9][dialect]") {
  auto names = beta_only_server_names;
  names.insert({"verbatim.turn", "response.something_new", ""});
  for (const auto& name : names) {
    const std::string event = R"({ "type" : ")" + name + R"(", "session":{"type":"realtime"}})";
    CHECK(beta_heard(event) == event);
  }
  for (const std::string damaged :
       {"", "{", "[]", R"({"type":"session.created","session":{"type":"realtime"})",
        "{\"type\":\"error\",\"error\":{\"param\":\"\xff\"}}"})
    CHECK(beta_heard(damaged) == damaged);
}

TEST_CASE("every client event has its GA name", "[P9][dialect]") {
  for (const auto& name : client_names) {
    const Json event = {{"event_id", "e"}, {"type", name}};
    CHECK(beta_said(event) == event);
  }
  CHECK(beta_said(Json{{"type", "transcription_session.update"}})["type"] == "session.update");
}

TEST_CASE("messages that are not translated keep their bytes", "[P9][dialect]") {
  // Half a surrogate pair, a number that no double holds, white space, an order of keys.
  const std::string item = R"({"id":"i", "n":12345678901234567890.5e400,"text":"\ud83d"})";
  CHECK(beta_heard(R"({"type":"conversation.item.added", "z":[1, 2],"item":)" + item + "}") ==
        R"({"type":"conversation.item.created","z":[1, 2],"item":)"
        R"({"id":"i","n":12345678901234567890.5e400,"text":"\ud83d","object":"realtime.item"}})");
  const std::string append = R"({ "audio":"AAAA", "type":"input_audio_buffer.append" })";
  CHECK(beta_said(append) == append);
  CHECK(beta_heard(R"({"delta":"AAAA", "type" : "response.output_audio.delta"})") ==
        R"({"delta":"AAAA", "type" : "response.audio.delta"})");
}

TEST_CASE("a message that will be refused is refused in its original form", "[P11][dialect]") {
  for (const std::string wrong :
       {R"({"type":"session.update","session":{"voice":"a"})",
        R"({"type":"session.update","session":{},"session":{"voice":"a"}})",
        R"({"type":"session.update","s\u0065ssion":{"voice":"a"}})",
        "{\"type\":\"session.update\",\"session\":{\"voice\":\"\xff\"}}"}) {
    INFO(wrong);
    CHECK(beta_said(wrong) == wrong);
    CHECK(check_client_message(wrong));
  }
  // No key occurs twice, even if it did in the input.
  CHECK(beta_said(R"({"type":"session.update","session":{"voice":"a","voice":"b","":1}})") ==
        R"({"type":"session.update","session":{"type":"realtime","":1,)"
        R"("audio":{"output":{"voice":"a"}}}})");
}

TEST_CASE("the cost of a million members grows linearly", "[P11][dialect]") {
  std::string members;
  const unsigned count = verbatim::test::rounds(1'000'000);
  for (unsigned i = 0; i < count; ++i) members += "\"" + std::to_string(i) + "\":0,";
  const auto out =
      beta_said(R"({"type":"session.update","session":{)" + members + R"("voice":"a"}})");
  CHECK(out.ends_with("\"" + std::to_string(count - 1) +
                      R"(":0,"audio":{"output":{"voice":"a"}}}})"));
}

TEST_CASE("every recorded stream is translated to beta names only, and means the same",
          "[P9][P4][dialect]") {
  for (const auto& file : recordings()) {
    for (const auto& event : read_recording(read_file(file)).events) {
      if (event.direction != Direction::to_client) continue;
      INFO(file << " " << event.event);
      const auto received = beta_heard(event.event);
      const std::string ga(peek_type(event.event));
      if (!received) {
        CHECK(server_names.at(ga) == dropped);
        continue;
      }
      CHECK_FALSE(verbatim::json::check(*received));
      if (server_names.contains(ga))
        CHECK(is_beta_name(std::string(peek_type(*received))));
      else
        CHECK(received == event.event);
      for (const char* word : {"\"output_modalities\"", "\"output_text\"", "\"output_audio\""})
        CHECK(received->find(word) == received->npos);
      CHECK(beta_heard(*received) == received);
      const auto before = read_server_event(event.event);
      const auto after = read_server_event(*received);
      REQUIRE(before.has_value() == after.has_value());
      if (before) CHECK(without_detail(*before) == without_detail(*after));
    }
  }
}

TEST_CASE("every recorded stream gives a beta client the same transcript", "[P9][P4][dialect]") {
  for (const auto& file : recordings()) {
    INFO(file);
    const auto recording = read_recording(read_file(file));
    CHECK(render(replay(in_beta(recording)), Format::json) ==
          render(replay(recording), Format::json));
  }
}

TEST_CASE("a session with a beta client journals the same rows as with any other",
          "[P1][P9][dialect]") {
  Stage ga;
  Stage beta(usual_options(), false, &beta_dialect());
  const auto both = [&](const char* bytes) {
    ga.provider(bytes);
    beta.provider(bytes);
  };
  ga.open();
  beta.open();
  ga.client(
      R"({"type":"conversation.item.create","item":{"id":"t","type":"message","role":"assistant",)"
      R"("content":[{"type":"output_text","text":"Hi."}]}})");
  beta.client(
      R"({"type":"conversation.item.create","item":{"id":"t","type":"message","role":"assistant",)"
      R"("content":[{"type":"text","text":"Hi."}]}})");
  both(R"({"type":"conversation.item.added","event_id":"e3","previous_item_id":null,"item":)"
       R"({"id":"a1","type":"message","role":"assistant","content":[]}})");
  both(first_delta);
  both(audio_delta);
  both(R"({"type":"conversation.item.done","event_id":"e4","item":{"id":"a1","type":"message",)"
       R"("role":"assistant","content":[{"type":"output_audio","transcript":"Hello"}]}})");
  REQUIRE(beta.journal.rows.size() == ga.journal.rows.size());
  for (std::size_t i = 0; i < ga.journal.rows.size(); ++i)
    CHECK(beta.journal.rows[i].event == ga.journal.rows[i].event);

  CHECK(beta.drain_client().empty());  // the same filter applies
  CHECK(beta.drain_upstream().empty());
  ga.journal.sync();
  beta.journal.sync();
  CHECK(beta.drain_upstream() == ga.drain_upstream());
  std::vector<std::string> types;
  for (const auto& message : beta.drain_client()) types.emplace_back(peek_type(message));
  CHECK(types == std::vector<std::string>{"conversation.item.created",
                                          "response.audio_transcript.delta",
                                          "response.audio.delta"});
}

TEST_CASE("the relay's own events reach a beta client, and its updates are counted correctly",
          "[P9][dialect]") {
  Stage stage(usual_options(), true, &beta_dialect());
  stage.session.upstream_opened(stage.dial(), stage.clock);
  stage.client(R"({"type":"session.update","session":{"input_audio_transcription":null}})");
  stage.provider(created_without_transcription);
  stage.journal.sync();
  // The client's update is unanswered: the relay must wait before it asks for transcription.
  CHECK(only(stage.drain_upstream())["session"]["audio"]["input"] ==
        Json{{"transcription", nullptr}});
  stage.provider(
      R"({"type":"session.updated","event_id":"e2","session":{"type":"realtime","id":"sess_p",)"
      R"("audio":{"input":{"transcription":null}}}})");
  stage.journal.sync();
  CHECK(only(stage.drain_upstream())["session"]["audio"]["input"]["transcription"]["model"]
            .is_string());
  stage.drain_client();
  stage.client("nonsense");
  CHECK(only(stage.drain_client())["error"]["code"] == "invalid_json");
  stage.client(R"({"type":"verbatim.end"})");
  CHECK(stage.session.reason() == CloseReason::client_ended);
  stage.journal.sync();
  CHECK(only(stage.drain_client())["type"] == "verbatim.ended");
}
