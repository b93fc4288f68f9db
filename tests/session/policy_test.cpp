// What a client may not do: change what is locked, see what is hidden, send what is not allowed.
#include "session/policy.hpp"

#include <catch2/catch.hpp>

#include "tests/session/stage.hpp"

using namespace verbatim::session;
using namespace verbatim::session::test;

namespace {

constexpr const char* bound =
    R"({"type":"realtime","instructions":"Be kind.","tools":[{"type":"function","name":"f"}],)"
    R"("audio":{"output":{"voice":"marin"}}})";

Policy locked(std::vector<std::string> fields) {
  PolicyRules rules;
  rules.locked = std::move(fields);
  return {std::move(rules), bound, "gpt-realtime"};
}

/// The field that is at fault; "" if nothing is.
std::string fault(const Policy& policy, const std::string& message) {
  const auto refusal = policy.refuse(peek_type(message), message);
  if (!refusal) return "";
  return refusal->code == "field_locked" ? refusal->param : refusal->code;
}

std::string update(const std::string& session) {
  return R"({"type":"session.update","event_id":"mine","session":)" + session + "}";
}

std::string respond(const std::string& response) {
  return R"({"type":"response.create","response":)" + response + "}";
}

}  // namespace

TEST_CASE("nothing is forbidden unless somebody said so", "[policy]") {
  const Policy open;
  CHECK(fault(open, update(R"({"instructions":"Be rude.","instructions":"twice"})")) == "");
  CHECK_FALSE(open.without_hidden("session.created", created_without_transcription));
}

TEST_CASE("a locked field can not be changed, and the answer names it", "[policy]") {
  const Policy policy = locked({"instructions", "audio.output.voice"});
  CHECK(fault(policy, update(R"({"instructions":"Be rude."})")) == "session.instructions");
  CHECK(fault(policy, update(R"({"instructions":null})")) == "session.instructions");
  CHECK(fault(policy, update(R"({"audio":{"output":{"voice":"cedar"}}})")) ==
        "session.audio.output.voice");
  CHECK(fault(policy, update(R"({"audio":null})")) == "session.audio");
  CHECK(fault(policy, update(R"({"type":"realtime","tools":[],"audio":{"output":{"speed":2}}})")) ==
        "");
  const std::string message = update(R"({"instructions":"x"})");
  const auto refusal = policy.refuse("session.update", message);
  CHECK(refusal->event_id == "mine");
  CHECK(refusal->code == "field_locked");
}

TEST_CASE("the value that a locked field has may be sent again", "[policy]") {
  const Policy policy = locked({"bound"});
  CHECK(fault(policy, update(bound)) == "");
  CHECK(fault(policy, update(R"({"model":"gpt-realtime"})")) == "");
  CHECK(fault(policy, update(R"({"model":"gpt-other"})")) == "session.model");
  CHECK(fault(policy, update(R"({"tools":[]})")) == "session.tools");
  CHECK(fault(policy, update(R"({"output_modalities":["text"]})")) == "");
}

TEST_CASE("one response can not do what the session can not", "[policy]") {
  const Policy policy = locked({"instructions", "tools"});
  CHECK(fault(policy, respond(R"({"instructions":"Be rude."})")) == "response.instructions");
  CHECK(fault(policy, respond(R"({"tools":[]})")) == "response.tools");
  CHECK(fault(policy, respond(R"({"instructions":"Be kind.","metadata":{"tools":"1"}})")) == "");
  CHECK(fault(policy, R"({"type":"response.create"})") == "");
}

TEST_CASE("instructions are locked by all of their names", "[policy]") {
  const Policy policy = locked({"instructions"});
  CHECK(fault(policy, update(R"({"prompt":{"id":"p"}})")) == "session.prompt.id");
  CHECK(fault(policy, update(R"({"prompt":null})")) == "");
  CHECK(fault(policy, update(R"({"Instructions":"x"})")) == "session.Instructions");
  CHECK(fault(policy,
              R"({"type":"conversation.item.create","item":{"role":"system","content":[]}})") ==
        "item.role");
  CHECK(fault(policy,
              R"({"type":"conversation.item.create","item":{"role":"user","content":[]}})") == "");
  CHECK(fault(policy, respond(R"({"input":[{"role":"user"},{"role":"developer"}]})")) ==
        "response.input");
  CHECK(fault(locked({"tools"}),
              R"({"type":"conversation.item.create","item":{"role":"system","content":[]}})") ==
        "");
}

TEST_CASE("what two parsers could read in two ways is refused", "[policy]") {
  const Policy policy = locked({"instructions"});
  CHECK(fault(policy, update(R"({"instructions":"Be kind.","instructions":"x"})")) ==
        "invalid_value");
  CHECK(fault(policy, update(R"({"instructions":"Be kind.","instruct\u0069ons":"x"})")) ==
        "invalid_value");
  CHECK(fault(policy, update(R"({"voice":"\ud800"})")) == "invalid_value");
}

TEST_CASE("beta's names are locked with GA's", "[policy]") {
  const Policy policy = locked({"audio.output.voice", "audio.input.turn_detection"});
  CHECK(fault(policy, update(R"({"voice":"cedar"})")) == "session.voice");
  CHECK(fault(policy, update(R"({"voice":null})")) == "session.voice");
  CHECK(fault(policy, update(R"({"turn_detection":{"type":"none"}})")) ==
        "session.turn_detection.type");
}

TEST_CASE("where all is locked, what the provider has shown may be sent again", "[policy]") {
  Policy policy = locked({"all"});
  CHECK(fault(policy, update(R"({"type":"realtime"})")) == "");
  CHECK(fault(policy, update(R"({"type":"transcription"})")) == "session.type");
  CHECK(fault(policy, update(R"({"tool_choice":"auto"})")) == "session.tool_choice");
  policy.configured("session.created",
                    R"({"type":"session.created","session":{"type":"realtime",)"
                    R"("tool_choice":"auto","instructions":"The provider's own."}})");
  CHECK(fault(policy, update(R"({"tool_choice":"auto"})")) == "");
  CHECK(fault(policy, update(R"({"tool_choice":"none"})")) == "session.tool_choice");
  CHECK(fault(policy, update(R"({"instructions":"The provider's own."})")) ==
        "session.instructions");
  CHECK(fault(policy, respond(R"({"conversation":"none","metadata":{}})")) == "");
  CHECK(fault(policy, respond(R"({"output_modalities":["text"]})")) ==
        "response.output_modalities");
}

TEST_CASE("only the client events that are named are passed on", "[policy]") {
  PolicyRules rules;
  rules.client_events = {"input_audio_buffer.append"};
  const Policy policy(rules, "", "");
  CHECK(fault(policy, R"({"type":"input_audio_buffer.append","audio":"AAAA"})") == "");
  CHECK(fault(policy, typed_item) == "event_not_allowed");
}

TEST_CASE("hidden fields are taken out and the rest stays byte for byte", "[policy]") {
  PolicyRules rules;
  rules.hidden = {"instructions", "audio.output.voice"};
  const Policy policy(rules, "", "");
  const auto shown = policy.without_hidden(
      "session.updated",
      R"({"type":"session.updated", "event_id":"e","session":{"instructions":"Secret.","n":1.50,)"
      R"("audio":{"output":{"voice":"x","speed":1e0}},"prompt":{"id":"p"},"x":"\ud83d"}})");
  REQUIRE(shown);
  CHECK(*shown == R"({"type":"session.updated","event_id":"e","session":{"n":1.50,)"
                  R"("audio":{"output":{"speed":1e0}},"x":"\ud83d"}})");
  CHECK_FALSE(policy.without_hidden("session.updated", updated_with_transcription));
  CHECK_FALSE(policy.without_hidden("response.done", R"({"session":{"instructions":"x"}})"));
}

TEST_CASE("what can not be read is not shown where something is hidden", "[policy]") {
  PolicyRules rules;
  rules.hidden = {"instructions"};
  const Policy policy(rules, "", "");
  CHECK(policy.without_hidden("session.created",
                              R"({"type":"session.created","session":{"instructions":"Secret.")") ==
        R"({"type":"session.created"})");
}

TEST_CASE("a session refuses by its policy, and goes on", "[policy]") {
  SessionOptions options;
  options.session_config_json = bound;
  options.policy.locked = {"bound"};
  options.policy.hidden = {"instructions"};
  Stage stage(options);
  stage.open();
  stage.client(update(R"({"instructions":"Be rude."})"));
  CHECK(stage.drain_upstream().empty());
  const json error = only(stage.drain(stage.session.to_client()));
  CHECK(error["type"] == "error");
  CHECK(error["error"]["code"] == "field_locked");
  CHECK(error["error"]["param"] == "session.instructions");
  CHECK(error["error"]["event_id"] == "mine");
  CHECK(stage.session.counts().refused_client_messages == 1);
  stage.client(update(R"({"instructions":"Be kind."})"));
  CHECK(stage.drain_upstream().size() == 1);
  stage.provider(
      R"({"type":"session.updated","event_id":"u9","session":{"instructions":"Be kind."}})");
  stage.journal.sync();
  CHECK(only(stage.drain(stage.session.to_client()))["session"] == json::object());
}
