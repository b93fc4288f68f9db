// Messages become events, and client messages are filtered.
#include <catch2/catch.hpp>

#include "base/json/tree.hpp"
#include "session/protocol/openai/event_reader.hpp"
#include "session/protocol/recording.hpp"
#include "tests/session/files.hpp"
#include "tests/session/transcript/stream.hpp"

using namespace verbatim;
using namespace verbatim::protocol;
using namespace verbatim::session::test;
using namespace verbatim::transcript;

namespace {

template <class Body>
Body read(std::string_view message) {
  const auto event = read_server_event(message);
  REQUIRE(event);
  REQUIRE(std::holds_alternative<Body>(event->body));
  return std::get<Body>(event->body);
}

std::string refused(std::string_view message) {
  const auto refusal = check_client_message(message);
  return refusal ? refusal->code : "accepted";
}

}  // namespace

TEST_CASE("peek_type agrees with a full parser on every recorded event", "[protocol]") {
  for (const auto& file : recordings()) {
    for (const auto& recorded : read_recording(read_file(file)).events) {
      // Another parser may refuse half surrogate pairs; the type does not depend on them.
      const auto json = Json::parse(recorded.event, nullptr, false);
      if (json.is_discarded()) continue;
      REQUIRE(peek_type(recorded.event) == json.at("type").get<std::string>());
    }
  }
}

TEST_CASE("an event's name alone decides whether it is read", "[protocol]") {
  for (const auto& file : recordings()) {
    for (const auto& recorded : read_recording(read_file(file)).events) {
      INFO(recorded.event);
      const auto type = peek_type(recorded.event);
      const bool from_server = recorded.direction == Direction::to_client;
      const auto event =
          from_server ? read_server_event(recorded.event) : read_client_event(recorded.event);
      const auto traffic = from_server ? server_traffic(type) : client_traffic(type);
      if (!from_server) CHECK_FALSE(check_client_message(recorded.event));
      if (from_server || traffic != Traffic::audio)
        CHECK(event.has_value() == (traffic != Traffic::other));
      if (event && from_server)
        CHECK(std::holds_alternative<AudioDelta>(event->body) == (traffic == Traffic::audio));
    }
  }
}

TEST_CASE("peek_type is empty where the type cannot be had plainly", "[protocol]") {
  CHECK(peek_type(R"({"a":{"type":"no"},"type":"yes"})") == "yes");
  CHECK(peek_type(" {\n \"type\" : \"yes\" , ") == "yes");  // it does not read further
  CHECK(peek_type(R"({"type":""})").empty());
  for (const char* none :
       {"", "[]", "{", R"({"type")", R"({"type":)", R"({"type":"open)", R"({"type":1})",
        R"({"ty\u0070e":"x","type":"y"})", R"({"type":"a\u0062"})", R"(["type","x"])",
        "\xEF\xBB\xBF{\"type\":\"x\"}", R"({"a":{"type":"no"}})", R"({"a" "type":"x"})"}) {
    INFO(none);
    CHECK(peek_type(none).empty());
  }
}

TEST_CASE("the beta names mean what the GA names mean", "[P9][protocol]") {
  const std::pair<const char*, const char*> names[] = {
      {"response.text.delta", "response.output_text.delta"},
      {"response.text.done", "response.output_text.done"},
      {"response.audio.delta", "response.output_audio.delta"},
      {"response.audio_transcript.delta", "response.output_audio_transcript.delta"},
      {"response.audio_transcript.done", "response.output_audio_transcript.done"},
      {"conversation.item.created", "conversation.item.added"},
      {"transcription_session.updated", "session.updated"},
  };
  for (const auto& [beta, ga] : names) {
    INFO(beta);
    const std::string rest =
        R"(","event_id":"e","item_id":"i","response_id":"r","content_index":2,"delta":"QUJD",)"
        R"("text":"t","transcript":"s","item":{"id":"i","type":"message","role":"user"},)"
        R"("session":{"id":"x","input_audio_transcription":{"model":"m"}}})";
    const auto one = read_server_event(R"({"type":")" + std::string(beta) + rest);
    const auto other = read_server_event(R"({"type":")" + std::string(ga) + rest);
    REQUIRE(one);
    CHECK(one == other);
    CHECK(server_traffic(beta) == server_traffic(ga));
  }
}

TEST_CASE("a session shows its transcription and output format, in GA and beta", "[protocol]") {
  const auto opened = read<UpstreamOpened>(
      R"({"type":"session.created","session":{"id":"s","expires_at":99,"audio":{"input":)"
      R"({"transcription":{"model":"m"}},"output":{"format":{"type":"audio/pcmu"}}}}})");
  CHECK(opened == UpstreamOpened{"s", 99, true, 8});
  const auto settings = [](const std::string& session) {
    return read<SessionConfigured>(R"({"type":"session.updated","session":)" + session + "}");
  };
  using Settings = SessionConfigured;
  CHECK(settings(R"({})") == Settings{false, 48});
  CHECK(settings(R"({"audio":{"input":{"transcription":null}}})") == Settings{false, 48});
  CHECK(settings(R"({"audio":{"output":{"format":{"type":"audio/pcm","rate":24000}}}})") ==
        Settings{false, 48});
  CHECK(settings(R"({"audio":{"output":{"format":{"type":"audio/pcma"}}}})") == Settings{false, 8});
  CHECK(settings(R"({"output_audio_format":"pcm16"})") == Settings{false, 48});
  CHECK(settings(R"({"output_audio_format":"g711_ulaw"})") == Settings{false, 8});
  CHECK(settings(R"({"output_audio_format":"g711_alaw"})") == Settings{false, 8});
  CHECK(settings(R"({"input_audio_transcription":{"model":"whisper-1"}})") == Settings{true, 48});
  CHECK(settings(R"({"input_audio_transcription":null})") == Settings{false, 48});
  CHECK(read<UpstreamOpened>(R"({"type":"transcription_session.created","session":{"id":"t"}})")
            .provider_session_id == "t");
}

TEST_CASE("audio is counted by the length of its base64, padding and all", "[P5][protocol]") {
  const std::pair<const char*, std::int64_t> lengths[] = {
      {"", 0}, {"QQ==", 1}, {"QUI=", 2}, {"QUJD", 3}, {"QUJDRA==", 4}, {"QUJDRA", 4}, {"=", 0}};
  for (const auto& [base64, bytes] : lengths) {
    const auto message = R"({"type":"response.output_audio.delta","item_id":"a","delta":")" +
                         std::string(base64) + R"("})";
    CHECK(read<AudioDelta>(message).bytes == bytes);
  }
}

TEST_CASE("a predecessor is named, null or absent", "[P4][protocol]") {
  const auto placed = [](const std::string& previous) {
    return read<ItemPlaced>(R"({"type":"input_audio_buffer.committed","item_id":"u")" + previous +
                            "}");
  };
  CHECK(placed(R"(,"previous_item_id":"p")").place == Position::after);
  CHECK(placed(R"(,"previous_item_id":"p")").previous == "p");
  CHECK(placed(R"(,"previous_item_id":null)").place == Position::front);
  CHECK(placed("").place == Position::end);
  CHECK(placed("").committed);
}

TEST_CASE("an item's parts keep their positions; parts without text are left out", "[protocol]") {
  const auto item =
      read<ItemPlaced>(
          R"({"type":"conversation.item.added","item":{"id":"i","type":"message",)"
          R"("role":"user","content":[{"type":"input_image"},{"type":"input_text",)"
          R"("text":"t"},{"type":"future"},{"type":"input_audio","transcript":null}]}})")
          .item;
  REQUIRE(item.parts.size() == 2);
  CHECK(item.parts[0] == Part{1, text("t"), false});
  CHECK(item.parts[1] == Part{3, {}, true});
}

TEST_CASE("a provider's variant: the part has another member name", "[protocol]") {
  const auto part =
      read<PartSnapshot>(R"({"type":"response.content_part.done","item_id":"a","content_index":1,)"
                         R"("content":{"type":"audio","transcript":"Hi"}})");
  CHECK(part.text == text("Hi"));
  CHECK(part.content_index == 1);
}

TEST_CASE("only an explicit null conversation is out of band", "[protocol]") {
  const auto out_of_band = [](const char* rest) {
    return read<ResponseStarted>(R"({"type":"response.created","response":{"id":"r")" +
                                 std::string(rest) + "}}")
        .out_of_band;
  };
  CHECK(out_of_band(R"(,"conversation_id":null)"));
  CHECK_FALSE(out_of_band(R"(,"conversation_id":"conv_1")"));
  CHECK_FALSE(out_of_band(""));
}

TEST_CASE("reasons come from the most specific field", "[protocol]") {
  const auto failed = [](const char* error) {
    return read<TranscriptionFailed>(
               R"({"type":"conversation.item.input_audio_transcription.failed","item_id":"u","error":)" +
               std::string(error) + "}")
        .reason;
  };
  CHECK(failed(R"({"code":"c","type":"t"})") == "c");
  CHECK(failed(R"({"code":null,"type":"t"})") == "t");
  CHECK(failed("null") == "transcription_failed");
  const auto ended = read<ResponseEnded>(
      R"({"type":"response.done","response":{"id":"r","status":"failed","status_details":)"
      R"({"type":"failed","error":{"code":"rate_limit_exceeded"}},"usage":{"total_tokens":3}}})");
  CHECK(ended.reason == "rate_limit_exceeded");
  CHECK(ended.status == ResponseStatus::failed);
  CHECK(ended.usage == R"({"total_tokens":3})");
}

TEST_CASE("text with half a surrogate pair is read", "[rule10][protocol]") {
  const auto delta =
      read<TextDelta>(R"({"type":"response.output_text.delta","item_id":"a","delta":"\ud83d"})");
  CHECK(delta.text.wtf8() == "\xED\xA0\xBD");
}

TEST_CASE("a message without content and item is not an event", "[P11][protocol]") {
  CHECK_FALSE(read_server_event(R"({"type":"conversation.item.added","item":{}})"));
  CHECK_FALSE(read_server_event(R"({"type":"conversation.item.truncated","audio_end_ms":5})"));
  CHECK_FALSE(read_server_event(R"({"type":"vendor.future_event","item_id":"a"})"));
  CHECK_FALSE(read_server_event(R"({"no_type":true})"));
  CHECK_FALSE(read_server_event(""));
  CHECK_FALSE(read_server_event(" \n"));
}

TEST_CASE("an unreadable message that may hold text becomes an event that says so",
          "[P13][protocol]") {
  const auto why = [](std::string_view message) {
    return read<TextUnplaced>(std::string(message)).why;
  };
  CHECK(why(R"({"type":"response.output_text.delta","item_id":"a","delta":"x")") ==
        Unplaced::not_json);
  CHECK(why("not even JSON") == Unplaced::not_json);
  CHECK(why(R"([{"type":"response.output_text.delta","item_id":"a","delta":"x"}])") ==
        Unplaced::not_json);
  CHECK(why(R"({"type":"response.output_text.delta","item_id":"a","delta":{"text":"x"}})") ==
        Unplaced::not_text);
  CHECK(why(R"({"type":"response.output_text.done","item_id":"a","text":["x"]})") ==
        Unplaced::not_text);
  CHECK(why("{\"type\":\"response.output_text.delta\",\"item_id\":\"a\",\"delta\":\"\xFF\"}") ==
        Unplaced::not_text);
  CHECK(read<TextDelta>(R"({"type":"response.output_text.delta","item_id":"a","delta":null})")
            .text.empty());
}

TEST_CASE("a type that is written with escapes is the same type", "[P13][protocol]") {
  CHECK(read<TextDelta>(R"({"type":"response.output_text\u002edelta","item_id":"a","delta":"x"})")
            .text == Text::from_wtf8("x"));
}

TEST_CASE("content is read as a plain string, or without its part's type", "[P13][protocol]") {
  for (const char* content : {R"("Hello.")", R"(["Hello."])", R"([{"text":"Hello."}])"}) {
    const auto placed = read<ItemPlaced>(
        R"({"type":"conversation.item.added","item":{"id":"a","role":"user","content":)" +
        std::string(content) + "}}");
    REQUIRE(placed.item.parts.size() == 1);
    CHECK(placed.item.parts.front().text == Text::from_wtf8("Hello."));
  }
}

TEST_CASE("a provider's free text is not taken for a code", "[P10][protocol]") {
  const auto ended = read<ResponseEnded>(
      R"({"type":"response.done","response":{"id":"r","status":"failed","status_details":)"
      R"({"type":"failed","error":{"code":"Key sk-123 has no quota","type":"No quota"}}}})");
  CHECK(ended.reason == "other");
  CHECK(read<ResponseEnded>(
            R"({"type":"response.done","response":{"id":"r","status":"failed",)"
            R"("status_details":{"error":{"code":"No quota left","type":"insufficient_quota"}}}})")
            .reason == "insufficient_quota");
  CHECK(read<ResponseEnded>(R"({"type":"response.done","response":{"id":"r","status":"failed",)"
                            R"("status_details":{"error":{"code":429}}}})")
            .reason == "429");
}

TEST_CASE("the reason of a failed response is read from every place that servers use",
          "[P13][protocol][responses]") {
  const auto reason_of = [](const std::string& said) {
    return read<ResponseEnded>(R"({"type":"response.done","response":{"id":"r","output":[],)" +
                               said)
        .reason;
  };
  const std::string quota = "insufficient_quota";
  CHECK(reason_of(R"("status":"failed","status_details":"insufficient_quota"}})") == quota);
  CHECK(reason_of(R"("status":"failed","status_details":{"error":"insufficient_quota"}}})") ==
        quota);
  CHECK(reason_of(R"("status":"failed","status_details":{"code":"insufficient_quota"}}})") ==
        quota);
  CHECK(reason_of(R"("status":"failed","error":{"code":"insufficient_quota"}}})") == quota);
  CHECK(reason_of(R"("status":"failed","error":{"code":null,"type":"insufficient_quota"}}})") ==
        quota);
  CHECK(reason_of(R"("status":"failed","error":"insufficient_quota"}})") == quota);
  CHECK(reason_of(R"("status":"failed"},"error":{"code":"insufficient_quota"}})") == quota);
  CHECK(reason_of(
            R"("status":"failed","status_details":null,"error":{"type":"insufficient_quota"}}})") ==
        quota);
  CHECK(reason_of(R"("status":"incomplete","incomplete_details":{"reason":"content_filter"}}})") ==
        "content_filter");
  for (const char* prose :
       {R"("status":"failed","status_details":"Your quota is used up"}})",
        R"("status":"failed","status_details":{"error":"Your quota is used up"}}})",
        R"("status":"failed","error":"Your quota is used up"}})"})
    CHECK(reason_of(prose) == "other");
  CHECK(reason_of(R"("status":"failed","status_details":{"type":"failed"}}})").empty());
}

TEST_CASE("a client's create and cancel are read", "[protocol]") {
  const auto create = read_client_event(
      R"({"type":"conversation.item.create","event_id":"c1","item":{"type":"message","role":"user",)"
      R"("content":[{"type":"input_text","text":"Hi"}]}})");
  REQUIRE(create);
  const auto& request = std::get<ItemRequested>(create->body);
  CHECK(create->id.empty());
  CHECK(request.client_event_id == "c1");
  CHECK(request.item.parts.at(0).text == text("Hi"));
  const auto cancel = read_client_event(R"({"type":"response.cancel","response_id":"r"})");
  REQUIRE(cancel);
  CHECK(std::get<CancelRequested>(cancel->body).response_id == "r");
  CHECK_FALSE(read_client_event(R"({"type":"session.update","session":{}})"));
}

// ---- client messages -----------------------------------------------------------------------

TEST_CASE("a client's message passes the gate if it can be read in one way only", "[P9][gate]") {
  CHECK(refused(R"({"type":"response.create"})") == "accepted");
  CHECK(refused(R"( { "event_id" : "x" , "type" : "session.update" , "session" : {} } )") ==
        "accepted");
  CHECK(refused(R"({"type":"response.create","n":123456789012345678901234567890e9999})") ==
        "accepted");
  CHECK(refused(R"({"type":"conversation.item.create","item":{"content":[{"text":"\ud83d"}]}})") ==
        "accepted");
  CHECK(refused(R"({"type":"transcription_session.update","session":{}})") == "accepted");
  CHECK(refused(R"({"type":"input_audio_buffer.append","audio":")" + std::string(100'000, 'A') +
                "\"}") == "accepted");
}

TEST_CASE("a message that is not one strict JSON object is refused", "[P11][gate]") {
  const std::string deep =
      R"({"type":"response.create","x":)" + std::string(1000, '[') + std::string(1000, ']') + "}";
  for (const std::string& bad :
       {std::string(), std::string("{"), std::string("null"), std::string("[]"),
        std::string(R"(["type","response.create"])"), std::string(R"({"type":"response.create"}x)"),
        std::string(R"({"type":"response.create"}{})"),
        std::string(R"({'type':"response.create"})"),
        std::string("\xEF\xBB\xBF{\"type\":\"response.create\"}"),
        std::string("{\"type\":\"response.create\",\"a\":\"\xFF\"}"),
        std::string("{\"type\":\"response.create\",\"a\":\"\xED\xA0\xBD\"}"), deep,
        std::string(R"({"type":"response.create","a":01})"),
        std::string("{\"type\":\"response.create\",\"a\":\"\n\"}")}) {
    INFO(bad.substr(0, 60));
    CHECK(refused(bad) == "invalid_json");
  }
}

TEST_CASE("a key that parsers could read in two ways is refused", "[gate]") {
  for (const char* bad :
       {R"({"type":"response.create","type":"session.update"})",
        R"({"type":"response.create","\u0074ype":"session.update"})",
        R"({"\u0074ype":"response.create"})", R"({"type":"response.cre\u0061te"})",
        R"({"type":"session.update","session":{},"session":{"a":1}})", R"({"type":7})",
        R"({"type":null})", R"({"type":""})"}) {
    INFO(bad);
    CHECK(refused(bad) == "invalid_value");
  }
  CHECK(refused(R"({"event_id":"x"})") == "missing_required_parameter");
}

TEST_CASE("an unknown type is refused, unless it is allowed by name", "[gate]") {
  const auto refusal = check_client_message(R"({"type":"verbatim.end","event_id":"mine"})");
  REQUIRE(refusal);
  CHECK(refusal->code == "invalid_value");
  CHECK(refusal->param == "type");
  CHECK(refusal->event_id == "mine");
  const auto twice =
      check_client_message(R"({"event_id":"first","type":"response.cancel","event_id":"second"})");
  REQUIRE(twice);
  CHECK(twice->event_id == "first");
  CHECK(refusal->message.find("'verbatim.end'") != std::string::npos);
  CHECK_FALSE(check_client_message(R"({"type":"verbatim.end"})", {"verbatim.end"}));
}

TEST_CASE("a refusal quotes only short and printable client input", "[P11][gate]") {
  const auto refusal =
      check_client_message(R"({"type":")" + std::string(100'000, 'x') + "\xC3\xA9\"}");
  REQUIRE(refusal);
  CHECK(refusal->message.size() < 600);
  const auto long_id =
      check_client_message(R"({"type":"x","event_id":")" + std::string(100'000, 'x') + "\"}");
  REQUIRE(long_id);
  CHECK(long_id->event_id.empty());
}
