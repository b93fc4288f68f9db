// The shapes of the events that a beta client sends and receives: sessions, responses, items,
// errors.
#include <catch2/catch.hpp>

#include "tests/session/beta.hpp"

using namespace verbatim;
using namespace verbatim::session::test;

TEST_CASE("a flat session is sent on as GA has it", "[P9][dialect]") {
  const Json beta = {{"type", "session.update"},
                     {"event_id", "evt_1"},
                     {"session",
                      {{"modalities", {"text", "audio"}},
                       {"instructions", "Be brief."},
                       {"voice", "alloy"},
                       {"speed", 1.1},
                       {"input_audio_format", "pcm16"},
                       {"output_audio_format", "g711_ulaw"},
                       {"input_audio_transcription", {{"model", "whisper-1"}}},
                       {"input_audio_noise_reduction", {{"type", "near_field"}}},
                       {"turn_detection", nullptr},
                       {"tools", {{{"type", "function"}, {"name", "f"}}}},
                       {"tool_choice", "auto"},
                       {"temperature", 0.8},
                       {"max_response_output_tokens", 4096},
                       {"tracing", nullptr}}}};
  const Json ga = {
      {"type", "session.update"},
      {"event_id", "evt_1"},
      {"session",
       {{"type", "realtime"},
        {"output_modalities", {"audio"}},
        {"instructions", "Be brief."},
        {"audio",
         {{"input",
           {{"format", {{"type", "audio/pcm"}, {"rate", 24000}}},
            {"transcription", {{"model", "whisper-1"}}},
            {"noise_reduction", {{"type", "near_field"}}},
            {"turn_detection", nullptr}}},
          {"output", {{"voice", "alloy"}, {"speed", 1.1}, {"format", {{"type", "audio/pcmu"}}}}}}},
        {"tools", {{{"type", "function"}, {"name", "f"}}}},
        {"tool_choice", "auto"},
        {"max_output_tokens", 4096},
        {"tracing", nullptr}}}};
  CHECK(beta_said(beta) == ga);
  const auto said_modalities = [](Json modalities) {
    return beta_said(
        Json{{"type", "session.update"},
             {"session", {{"modalities", modalities}}}})["session"]["output_modalities"];
  };
  CHECK(said_modalities({"audio", "text"}) == Json{"audio"});
  CHECK(said_modalities({"text"}) == Json{"text"});
  CHECK(said_modalities("odd") == "odd");
}

TEST_CASE("a session in GA's shape stays as it is, beta client or not", "[P9][dialect]") {
  for (
      const std::string ga :
      {R"({"type":"session.update","session":{"type":"realtime","audio":{"output":{"voice":"a"}}}})",
       R"({"type":"session.update","session":{"type":"realtime","output_modalities":["text"]}})",
       R"({"type":"session.update","session":7})", R"({"type":"session.update"})"})
    CHECK(beta_said(ga) == ga);
}

TEST_CASE("a transcription session is GA upstream, and is shown as a beta one", "[P9][dialect]") {
  const Json update = {{"type", "transcription_session.update"},
                       {"session",
                        {{"input_audio_format", "g711_alaw"},
                         {"modalities", {"text"}},
                         {"include", {"item.input_audio_transcription.logprobs"}},
                         {"input_audio_transcription", {{"model", "gpt-4o-transcribe"}}}}}};
  const Json ga = beta_said(update);
  CHECK(ga == Json{{"type", "session.update"},
                   {"session",
                    {{"type", "transcription"},
                     {"include", {"item.input_audio_transcription.logprobs"}},
                     {"audio",
                      {{"input",
                        {{"format", {{"type", "audio/pcma"}}},
                         {"transcription", {{"model", "gpt-4o-transcribe"}}}}}}}}}});
  for (const std::string word : {"created", "updated"}) {
    Json event = ga;
    event["type"] = "session." + word;
    const Json received = beta_heard(event);
    CHECK(received["type"] == "transcription_session." + word);
    CHECK(received["session"] ==
          Json{{"include", {"item.input_audio_transcription.logprobs"}},
               {"input_audio_format", "g711_alaw"},
               {"input_audio_transcription", {{"model", "gpt-4o-transcribe"}}}});
  }
}

TEST_CASE("the provider's session is translated to beta's flat shape", "[P9][dialect]") {
  const Json format = {{"type", "audio/pcm"}, {"rate", 24000}};
  const Json ga = {{"type", "session.created"},
                   {"event_id", "e"},
                   {"session",
                    {{"type", "realtime"},
                     {"object", "realtime.session"},
                     {"id", "sess_1"},
                     {"output_modalities", {"audio"}},
                     {"max_output_tokens", "inf"},
                     {"expires_at", 1785217650},
                     {"audio",
                      {{"input",
                        {{"format", format},
                         {"transcription", nullptr},
                         {"noise_reduction", nullptr},
                         {"turn_detection", {{"type", "server_vad"}}}}},
                       {"output", {{"format", format}, {"voice", "alloy"}, {"speed", 1}}}}}}}};
  CHECK(beta_heard(ga) == Json{{"type", "session.created"},
                               {"event_id", "e"},
                               {"session",
                                {{"object", "realtime.session"},
                                 {"id", "sess_1"},
                                 {"modalities", {"text", "audio"}},
                                 {"max_response_output_tokens", "inf"},
                                 {"expires_at", 1785217650},
                                 {"input_audio_format", "pcm16"},
                                 {"input_audio_transcription", nullptr},
                                 {"input_audio_noise_reduction", nullptr},
                                 {"turn_detection", {{"type", "server_vad"}}},
                                 {"output_audio_format", "pcm16"},
                                 {"voice", "alloy"},
                                 {"speed", 1}}}});
  // A sample rate that beta cannot name is not taken for 24 kHz.
  Json odd = ga;
  odd["session"]["audio"]["output"]["format"]["rate"] = 16000;
  CHECK(beta_heard(odd)["session"]["output_audio_format"] ==
        Json{{"type", "audio/pcm"}, {"rate", 16000}});
}

TEST_CASE("responses are requested and shown in each dialect's shape", "[P9][dialect]") {
  const Json asked = {{"type", "response.create"},
                      {"response",
                       {{"modalities", {"text"}},
                        {"voice", "echo"},
                        {"output_audio_format", "pcm16"},
                        {"temperature", 0.7},
                        {"max_response_output_tokens", "inf"},
                        {"conversation", "none"},
                        {"metadata", {{"a", "b"}}},
                        {"input",
                         {{{"type", "item_reference"}, {"id", "i"}},
                          {{"type", "message"},
                           {"role", "assistant"},
                           {"content", {{{"type", "text"}, {"text", "Hi."}}}}}}}}}};
  CHECK(beta_said(asked) ==
        Json{{"type", "response.create"},
             {"response",
              {{"output_modalities", {"text"}},
               {"audio",
                {{"output",
                  {{"voice", "echo"}, {"format", {{"type", "audio/pcm"}, {"rate", 24000}}}}}}},
               {"max_output_tokens", "inf"},
               {"conversation", "none"},
               {"metadata", {{"a", "b"}}},
               {"input",
                {{{"type", "item_reference"}, {"id", "i"}},
                 {{"type", "message"},
                  {"role", "assistant"},
                  {"content", {{{"type", "output_text"}, {"text", "Hi."}}}}}}}}}});
  const Json whole = {
      {"type", "response.done"},
      {"response",
       {{"id", "r"},
        {"object", "realtime.response"},
        {"output_modalities", {"audio"}},
        {"max_output_tokens", "inf"},
        {"audio", {{"output", {{"format", {{"type", "audio/pcma"}}}, {"voice", "alloy"}}}}},
        {"output",
         {{{"id", "a"},
           {"type", "message"},
           {"role", "assistant"},
           {"content", {{{"type", "output_audio"}, {"transcript", "Hello."}}}}},
          {{"id", "f"}, {"type", "function_call"}, {"name", "n"}}}}}}};
  CHECK(beta_heard(whole) ==
        Json{{"type", "response.done"},
             {"response",
              {{"id", "r"},
               {"object", "realtime.response"},
               {"modalities", {"text", "audio"}},
               {"max_output_tokens", "inf"},
               {"output_audio_format", "g711_alaw"},
               {"voice", "alloy"},
               {"output",
                {{{"id", "a"},
                  {"object", "realtime.item"},
                  {"type", "message"},
                  {"role", "assistant"},
                  {"content", {{{"type", "audio"}, {"transcript", "Hello."}}}}},
                 {{"id", "f"},
                  {"object", "realtime.item"},
                  {"type", "function_call"},
                  {"name", "n"}}}}}}});
}

TEST_CASE("an item's content has each dialect's names", "[P9][dialect]") {
  const auto created = [](const char* role, const char* type) {
    const Json item = {{"role", role}, {"content", {{{"type", type}, {"text", "x"}}}}};
    return beta_said(
        Json{{"type", "conversation.item.create"}, {"item", item}})["item"]["content"][0]["type"];
  };
  CHECK(created("assistant", "text") == "output_text");
  CHECK(created("assistant", "audio") == "output_audio");
  CHECK(created("user", "text") == "input_text");
  CHECK(created("user", "input_audio") == "input_audio");
  CHECK(created("system", "input_text") == "input_text");

  const auto shown = [](const char* event, const char* type) {
    const Json item = {{"id", "i"}, {"content", {{{"type", type}}}}};
    return beta_heard(Json{{"type", event}, {"previous_item_id", nullptr}, {"item", item}});
  };
  CHECK(shown("conversation.item.added", "output_text") ==
        Json{{"type", "conversation.item.created"},
             {"previous_item_id", nullptr},
             {"item",
              {{"id", "i"}, {"object", "realtime.item"}, {"content", {{{"type", "text"}}}}}}});
  for (const char* event : {"conversation.item.retrieved", "response.output_item.added",
                            "response.output_item.done", "conversation.item.created"})
    CHECK(shown(event, "output_audio")["item"]["content"][0]["type"] == "audio");
  CHECK(shown("conversation.item.added", "input_image")["item"]["content"][0]["type"] ==
        "input_image");

  // Azure sends a part twice.
  const Json part = {{"type", "output_text"}, {"text", "x"}};
  const Json twice =
      beta_heard(Json{{"type", "response.content_part.done"}, {"part", part}, {"content", part}});
  CHECK(twice["part"]["type"] == "text");
  CHECK(twice["content"] == twice["part"]);
}

TEST_CASE("an error names the field as the client knows it", "[P9][dialect]") {
  const auto named = [](const char* param) {
    return beta_heard(Json{{"type", "error"}, {"error", {{"param", param}}}})["error"]["param"];
  };
  CHECK(named("session.audio.input.turn_detection.type") == "session.turn_detection.type");
  CHECK(named("session.audio.output.voice") == "session.voice");
  CHECK(named("session.output_modalities[0]") == "session.modalities[0]");
  CHECK(named("response.max_output_tokens") == "response.max_response_output_tokens");
  CHECK(named("session.audio.output.voices") == "session.audio.output.voices");
  CHECK(named("item.content") == "item.content");
}
