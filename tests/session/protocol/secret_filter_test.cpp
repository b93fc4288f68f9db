// The provider's key, which providers and gateways may repeat in error messages, is removed.
#include "session/protocol/secret_filter.hpp"

#include "tests/session/options.hpp"
#include "tests/session/stage.hpp"

using namespace verbatim;
using namespace verbatim::protocol;
using namespace verbatim::session;
using namespace verbatim::session::test;
using namespace verbatim::transcript;

namespace {

const std::string key = "sk-a/b\"c+4711";

const SecretFilter& filter() {
  static const SecretFilter made({key, "short", "abc", ""});
  return made;
}

std::string error_with(const std::string& literal) {
  return R"({"type":"error","event_id":"e1","error":{"type":"x","code":null,"message":)" + literal +
         R"(,"param":null}})";
}

/// All text of an event.
std::string text_in(Event& event) {
  std::string words;
  for_each_item(event, [&words](const Item& item) {
    words += item.id + item.detail;
    for (const Part& part : item.parts) words += part.text.utf8();
  });
  std::visit(
      [&words](const auto& body) {
        if constexpr (requires { body.text; }) words += body.text.utf8();
        if constexpr (requires { body.usage; }) words += body.usage;
        if constexpr (requires { body.reason; }) words += body.reason;
      },
      event.body);
  return words;
}

}  // namespace

TEST_CASE("a key in an error event is cut out, however it is escaped", "[P10]") {
  const std::string escaped = R"(sk-a/b\"c+4711)";
  for (const std::string& written :
       {escaped, std::string(R"(sk-a\/b\"c+4711)"), std::string(R"(\u0073k-a/b\u0022c+4711)"),
        std::string(R"(sk-a\u002fb\u0022c\u002b4711)")}) {
    INFO(written);
    const auto cut =
        filter().cut_error_event(error_with("\"Incorrect API key provided: " + written + ".\""));
    REQUIRE(cut);
    CHECK(*cut == error_with("\"Incorrect API key provided: [hidden].\""));
  }
}

TEST_CASE("a key is cut out of every string of an error event, and all else stays as it was",
          "[P10]") {
  const auto in = [](const std::string& secret) {
    return R"({ "type" : "error", "n":1.50e+1, "deep":{"list":["a\u0020b",")" + secret + R"(",{")" +
           secret + R"(":"\ud800"}]},"message":")" + secret + "-" + secret + "\" }";
  };
  const auto cut = filter().cut_error_event(in(R"(sk-a/b\"c+4711)"));
  REQUIRE(cut);
  CHECK(*cut == in("[hidden]"));
}

TEST_CASE("error events without the key, and all other events, are left byte for byte",
          "[P10][P9]") {
  const std::string says_key = R"("the key is sk-a/b\"c+4711")";
  CHECK_FALSE(filter().cut_error_event(error_with("\"no such model: abc\"")));
  for (const char* type :
       {"response.done", "conversation.item.added", "response.output_audio.delta",
        "response.output_text.delta", "session.created", "gateway.notice", "mirror", "e"}) {
    INFO(type);
    const std::string head = R"({"type":")" + std::string(type) + "\",";
    CHECK_FALSE(filter().cut_error_event(head + R"("x":)" + says_key + "}"));
    CHECK_FALSE(filter().cut_error_event(
        head + R"("response":{"error":{"message":"no"},"status":"completed","output":[)" +
        says_key + R"(]},"text":)" + says_key + "}"));
    CHECK_FALSE(filter().cut_error_event(R"( { "item" : {"type":"error","type":"x"}, "typed": [)" +
                                         says_key + R"(], "error_count":0, "type" : ")" + type +
                                         "\"} \n"));
  }
  CHECK_FALSE(SecretFilter().cut_error_event(error_with(says_key)));
}

TEST_CASE("a frame that a lenient reader may take for an error does not keep the key", "[P10]") {
  const std::string used = "short";
  for (const char* frame :
       {// Two types: either may count.
        R"({"type":"response.output_audio.delta","delta":"AAAA","type":"error","m":"@"})",
        R"({"type":"error","m":"@","type":"response.done"})",
        R"({"type":"response.done","m":"@","type":"session.updated"})",
        R"({"type":"response.done","m":"@","Type":"error"})",
        R"({"type":"response.done","t\u0079pe":"error","m":"@"})",
        R"({"type":"response.done","type ":"error","m":"@"})",
        "{\"type\":\"response.done\",\"type\u200b\":\"error\",\"m\":\"@\"}",
        "{\"type\":\"response.done\",\"t\u0443pe\":\"error\",\"m\":\"@\"}",
        // In other letters, or with another word for "error".
        R"({"type":"Error","m":"@"})", R"({"TYPE":"ERROR","m":"@"})",
        R"({"type":" error ","m":"@"})", R"({"type":"errors","m":"@"})",
        R"({"type":"session.error","m":"@"})", R"({"type":"invalid_request_error","m":"@"})",
        R"({"type":"err\u006fr","m":"@"})", "{\"type\":\"\u0435rror\",\"m\":\"@\"}",
        R"({"type":["error"],"m":"@"})", R"({"type":{"name":"error"},"m":"@"})",
        R"({"type":null,"m":"@"})", R"({"type":"","m":"@"})",
        // Recognised by its member, for any type.
        R"({"error":{"message":"@"}})", R"({"type":"response.done","error":"@"})",
        R"({"type":"conversation.item.input_audio_transcription.failed","error":{"message":"@"}})",
        R"({"type":"x","ERROR":["@"]})", R"({"type":"x","err\u006fr":"@"})",
        // Not an event at all.
        R"({"event":{"type":"error"},"m":"@"})", R"([{"type":"error","m":"@"}])", R"("@")", "@",
        "Incorrect API key: @.", "<p title=\"x\">@</p>", R"({"m":[@]})", R"({"type":"x"} @)",
        R"({"type":"x"}{"type":"error","m":"@"})", R"({"type":"x","a":,"type":"error","m":"@"})",
        R"({"type":"x" "m":"@"})", "{'type':'error','m':'@'}"}) {
    INFO(frame);
    const auto of = [frame](const std::string& word) {
      std::string out(frame);
      return out.replace(out.find('@'), 1, word);
    };
    CHECK(filter().cut_error_event(of(used)) == of("[hidden]"));
    CHECK(filter().cut_error_event(of("a " + used + " b")) == of("a [hidden] b"));
    CHECK_FALSE(filter().cut_error_event(of("shor")));
  }
}

TEST_CASE("an error event is known by its type also where that is written with escapes", "[P10]") {
  for (const char* head : {R"({"type":"err\u006fr",)", R"({"t\u0079pe":"error",)",
                           R"({"event_id":"e1","\u0074ype":"\u0065rror",)"}) {
    INFO(head);
    const auto cut = filter().cut_error_event(head + std::string(R"("m":"short"})"));
    REQUIRE(cut);
    CHECK(*cut == head + std::string(R"("m":"[hidden]"})"));
  }
}

TEST_CASE("an event that is broken off does not keep the key", "[P10]") {
  for (const char* event :
       {R"({"type":"error","message":"key short)", R"({"type":"response.done","x":"key short)",
        R"({"type":"response.done","x":["key short"])"}) {
    const auto cut = filter().cut_error_event(event);
    REQUIRE(cut);
    CHECK(cut->find("short") == std::string::npos);
  }
}

TEST_CASE("an escaped key in a text that is not JSON's is cut out too", "[P10]") {
  for (const char* text :
       {"\xff \\u0073hort", "sh\\ort\\q", "\\x \\u0073\\u0068ort", "\xc3 short"}) {
    const auto cut = filter().cut_error_event(error_with('"' + std::string(text) + '"'));
    REQUIRE(cut);
    CHECK(cut->find("[hidden]") != std::string::npos);
    CHECK(cut->find("ort") == std::string::npos);
  }
}

TEST_CASE("a longer secret is cut before one that is a part of it", "[P10]") {
  const SecretFilter both({"hunter2", "user:hunter2"});
  CHECK(both.cut("Basic user:hunter2, hunter2") == "Basic [hidden], [hidden]");
}

TEST_CASE("a new secret is hidden from then on, and an earlier one stays hidden", "[P10]") {
  SecretFilter grown({"first-key-1"});
  CHECK(grown.cut("second-key-2") == "second-key-2");
  grown.add({"second-key-2", "first-key-1", "abc", ""});
  grown.add({"second-key-2"});
  grown.add({});
  CHECK(grown.cut("first-key-1, second-key-2, abc") == "[hidden], [hidden], abc");
  CHECK(grown.contains_secret("a second-key-2"));
  CHECK(grown.holds_part_of_secret("Second_Key_2"));
  CHECK(grown.cut_error_event(R"({"type":"error","error":{"message":"second-key-2"}})"));
  // A key that contains another key is replaced first, in any order of the list.
  grown.add({"user:first-key-1"});
  CHECK(grown.cut("user:first-key-1") == "[hidden]");
}

TEST_CASE("a code that is the key is not stored, sent or shown", "[P10]") {
  SessionOptions options = usual_options();
  options.secrets = std::make_shared<SecretFilter>(std::vector<std::string>{"sk-4711"});
  Stage stage(options);
  stage.open();
  stage.provider(R"({"type":"response.created","response":{"id":"r1"}})");
  stage.provider(R"({"type":"response.done","response":{"id":"r1","status":"failed","output":[],)"
                 R"("status_details":{"error":{"code":"sk-4711"}}}})");
  CHECK(stage.session.responses().last_reason == "other");
  stage.provider(R"({"type":"error","error":{"type":"sk-4711","code":"sk-4711"}})");
  stage.session.upstream_gone(stage.upstream, {true, 4001, "sk-4711"}, stage.clock);
  stage.journal.sync();
  for (const std::string& received : stage.drain_client()) {
    if (received.find("upstream_error") != std::string::npos)
      CHECK(received.find("sk-4711") == std::string::npos);
  }
  CHECK(stage.session.why().find("sk-4711") == std::string::npos);
  CHECK(stage.session.why().find("other") != std::string::npos);
}

TEST_CASE("a code with a part of the key is not stored, in any encoding", "[P10]") {
  const SecretFilter filter({"sk-proj-Zq9xW7vLm3Rt8Yb2Kd5Hn"});
  for (const char* code : {"proj-Zq9xW7vLm3Rt8Yb2Kd5Hn", "bad_sk_proj_Zq9xW7vLm3",
                           "sk-proj-zq9xw7vlm3rt8yb2kd5hn", "ZQ9XW7VLM3RT8"}) {
    INFO(code);
    CHECK(filter.holds_part_of_secret(code));
    Event event{"", ProviderError{"x", code, ""}};
    filter.cut_codes(event);
    CHECK(std::get<ProviderError>(event.body).code == "other");
  }
  for (const char* code : {"invalid_api_key", "insufficient_quota", "project_not_found", "sk", ""})
    CHECK_FALSE(filter.holds_part_of_secret(code));
}

TEST_CASE("a frame in which an error further within holds the key passes without it", "[P10][P9]") {
  for (const char* frame :
       {R"({"type":"response.done","response":{"status_details":{"error":{"message":"@"}}}})",
        R"({"type":"response.done","response":{"status_details":"@","output":[]}})",
        R"({"type":"response.done","response":{"status_details":{"reason":"@"}}})",
        R"({"type":"response.done","response":{"incomplete_details":{"reason":"a @ b"}}})",
        R"({"type":"response.done","response":{"output":[{"id":"1","error":{"message":"@"}}]}})",
        R"({"type":"response.done","response":{"output":[{"id":"1"},{"last_error":"@"}]}})",
        R"({"type":"conversation.item.added","item":{"type":"mcp_call","error":"@"}})",
        R"({"type":"conversation.item.done","item":{"error":{"content":[{"text":"@"}]}}})",
        R"({"type":"response.output_item.done","item":{"error":["x",["@"]]}})",
        R"({"type":"response.output_item.done","item":{"errors":[{"@":1}]}})",
        R"({"type":"response.output_item.done","item":{"output":"@","status":"failed"}})",
        R"({"type":"vendor.note","data":{"text":"@","type":"gateway_error"}})",
        R"({"type":"vendor.note","data":{"err\u006fr":{"x":"@"}}})",
        R"({"type":"vendor.note","data":{"Error_Message":"@"}})",
        R"({"type":"mcp_list_tools.failed","item_id":"x","reason":"@"})",
        R"({"type":"response.mcp_call.failed","item_id":"x","detail":{"text":"@"}})"}) {
    INFO(frame);
    const auto of = [frame](const std::string& word) {
      std::string out(frame);
      return out.replace(out.find('@'), 1, word);
    };
    CHECK(filter().cut_error_event(of("short")) == of("[hidden]"));
    CHECK(filter().cut_error_event(of(R"(s\u0068ort)")) == of("[hidden]"));
    CHECK(filter().cut_error_event(of(R"(sk-a\/b\"c\u002B4711)")) == of("[hidden]"));
    CHECK_FALSE(filter().cut_error_event(of("shor")));
    CHECK_FALSE(filter().cut_error_event(of(R"(s\u0068or)")));
  }
}

TEST_CASE("the key passes beside a nested error, as in messages that are not errors", "[P9]") {
  for (const char* frame :
       {R"({"type":"response.done","response":{"output":[{"text":"@"}],"status_details":null}})",
        R"({"type":"response.done","response":{"status":"completed","output":[{"text":"@"}]}})",
        R"({"type":"conversation.item.added","item":{"error":null,"text":"@"}})",
        R"({"type":"conversation.item.added","item":{"text":"@","error":{"code":"x"}}})",
        R"({"type":"response.output_audio.delta","delta":"AAAA","x":{"error":"@"}})"}) {
    INFO(frame);
    std::string used(frame);
    CHECK_FALSE(filter().cut_error_event(used.replace(used.find('@'), 1, "short")));
  }
}

TEST_CASE("stored text has no key, in no string of a frame", "[P10]") {
  const auto in = [](const std::string& word) {
    return R"({"type":"conversation.item.added","item":{"text":"a\nb","arguments":")" + word +
           R"(","n":[1,")" + word + R"("]}})";
  };
  for (const char* written :
       {R"(sk-a/b\"c+4711)", R"(sk-a\/b\"c+4711)", R"(\u0073k-a/b\u0022c+4711)", "short",
        R"(\u0073hort)", R"(shor\u0074)"}) {
    INFO(written);
    CHECK(filter().cut_frame(in(written)) == in("[hidden]"));
  }
  CHECK_FALSE(filter().cut_frame(in(R"(sk-a/b \u00e4 \" \t shor\u0064)")));
  CHECK_FALSE(SecretFilter().cut_frame(in("short")));
}

TEST_CASE("a key in JSON within a string is cut out, at any depth of escaping", "[P10]") {
  const SecretFilter one({"sk-a/b4711"});
  std::string body = R"({"error":{"message":"bad key sk-a\/b4711 \u00e4"}})";
  for (int wrapped = 0; wrapped < 3; ++wrapped) {
    const auto frame = Json{{"type", "error"}, {"message", body}}.dump();
    INFO(frame);
    const auto cut = one.cut_error_event(frame);
    REQUIRE(cut);
    std::string read = Json::parse(*cut)["message"];
    for (int inner = 0; inner < wrapped; ++inner) read = Json::parse(read)["body"];
    CHECK(Json::parse(read)["error"]["message"] == "bad key [hidden] \u00e4");
    CHECK(one.cut_frame(frame));
    body = Json{{"body", body}}.dump();
  }
}

TEST_CASE("the key is in no journaled event, wherever the provider put it", "[P10][P1]") {
  SessionOptions options = usual_options();
  options.secrets = std::make_shared<SecretFilter>(std::vector<std::string>{"sk-4/711"});
  Stage stage(options);
  stage.open();
  const std::string call = R"("type":"mcp_call","status":"failed","name":"n","server_label":"s",)"
                           R"("arguments":"{\"a\":\"sk-4/711\"}","output":"sk-4\/711",)"
                           R"("error":{"type":"http_error","code":401,"message":"key sk-4/711"})";
  for (const char* type : {"conversation.item.added", "conversation.item.done"})
    stage.provider(R"({"type":")" + std::string(type) +
                   R"(","previous_item_id":null,"item":{"id":"i1",)" + call + "}}");
  stage.provider(R"({"type":"conversation.item.added","previous_item_id":"i1","item":{"id":"i2",)"
                 R"("type":"message","role":"user","content":[{"type":"input_text","text":)"
                 R"("my sk-4\u002f711"},{"type":"input_image","image_url":"data:sk-4/711"}]}})");
  stage.provider(
      R"({"type":"conversation.item.input_audio_transcription.completed","item_id":"i3",)"
      R"("content_index":0,"transcript":"sk-4/711","usage":{"type":"sk-4/711"}})");
  stage.provider(R"({"type":"response.created","response":{"id":"r1"}})");
  stage.provider(R"({"type":"response.output_text.delta","response_id":"r1","item_id":"i4",)"
                 R"("delta":"is sk-4/711"})");
  stage.provider(
      R"({"type":"response.done","response":{"id":"r1","status":"failed","output":[{"id":"i5",)" +
      call + R"(}],"usage":{"note":"sk-4/711"},"status_details":{"error":{"code":"sk-4/711"}}}})");
  stage.client(R"({"type":"conversation.item.create","item":{"type":"message","role":"user",)"
               R"("content":[{"type":"input_text","text":"sk-4\/711 too"}]}})");
  std::size_t hidden = 0;
  for (auto& row : stage.journal.rows) {
    const std::string words = text_in(row.event);
    INFO(words);
    CHECK(words.find("711") == std::string::npos);
    if (words.find("[hidden]") != std::string::npos) ++hidden;
  }
  CHECK(hidden >= 7);
  for (const Turn& turn : stage.journal.settled)
    CHECK(turn.text.utf8().find("711") == std::string::npos);
}
