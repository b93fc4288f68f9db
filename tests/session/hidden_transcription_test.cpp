// A client that wants no transcription sees none, and the transcript still has the user's words.
#include "session/protocol/clients/beta_dialect.hpp"
#include "tests/session/own_settings.hpp"

using namespace verbatim;
using namespace verbatim::protocol;
using namespace verbatim::session;
using namespace verbatim::session::test;
using namespace verbatim::transcript;

TEST_CASE(
    "a client that sets transcription to null gets no transcription events, and the text is kept",
    "[P9][P13][own]") {
  for (const bool by_token : {true, false}) {
    CAPTURE(by_token);
    Given stage(by_token ? bound_to(transcription_of(nullptr)) : with_reconnect());
    stage.provider(settings_event("session.created", session_with(nullptr), "e1"));
    if (by_token) {
      // The relay asks for it at once, because of the token.
      CHECK(only(stage.provider_got())["session"]["audio"]["input"]["transcription"]["model"]
                .is_string());
      stage.provider(updated(whisper, "alloy", "e2"));
      CHECK(only(stage.client_got())["session"] == session_with(nullptr));
    } else {
      stage.provider_got();
      stage.provider(updated(whisper, "alloy", "e2"));
      stage.client_got();
      stage.client(client_update(transcription_of(nullptr)));
      stage.provider_got();
      const std::string off = updated(nullptr, "alloy", "e3");
      stage.provider(off);
      CHECK(stage.client_got() == std::vector<std::string>{off});
      CHECK(types(stage.provider_got()) == std::vector<std::string>{"session.update"});
      stage.provider(updated(whisper, "alloy", "e4"));
      CHECK(stage.client_got().empty());
    }
    speak(stage);
    CHECK(types(stage.client_got()) == std::vector<std::string>{"input_audio_buffer.speech_started",
                                                                "input_audio_buffer.committed",
                                                                "conversation.item.added"});
    REQUIRE_FALSE(stage.journal.settled.empty());
    CHECK(stage.journal.settled.back().text.utf8() == "Goodbye.");
    // The session that the client is shown has the setting that it asked for.
    stage.client(client_update(voice_of("cedar")));
    stage.provider_got();
    stage.provider(updated(whisper, "cedar", "e5"));
    const Json shown = only(stage.client_got())["session"];
    CHECK(shown == session_with(nullptr, "cedar"));
    // Until it asks for transcriptions.
    stage.client(client_update(transcription_of(whisper)));
    stage.provider_got();
    const std::string on = updated(whisper, "cedar", "e6");
    stage.provider(on);
    CHECK(stage.client_got() == std::vector<std::string>{on});
    stage.provider(
        R"({"type":"conversation.item.input_audio_transcription.completed","event_id":"e7",)"
        R"("item_id":"u2","content_index":0,"transcript":"Seen."})");
    CHECK(any_transcription(stage.client_got()));
  }
}

TEST_CASE("a client that does not set transcription gets its events", "[P9][own]") {
  for (const Json& token :
       {Json{{"type", "realtime"}}, Json{{"instructions", "Be kind."}},
        Json{{"audio", {{"input", {{"noise_reduction", nullptr}}}}}}, transcription_of(whisper)}) {
    CAPTURE(token.dump());
    Given stage(bound_to(token));
    stage.provider(settings_event("session.created", session_with(nullptr), "e1"));
    stage.provider(updated(whisper, "alloy", "e2"));
    stage.client(client_update(voice_of("cedar")));
    stage.provider_got();
    stage.provider(updated(whisper, "cedar", "e3"));
    speak(stage);
    const auto got = stage.client_got();
    const auto count = std::count_if(got.begin(), got.end(), [](const std::string& message) {
      return message.find("input_audio_transcription.") != message.npos;
    });
    CHECK(count == 3);
    CHECK(Json::parse(got[1])["session"]["audio"]["input"]["transcription"] == whisper);
  }
}

TEST_CASE("a refused update changes nothing that a client sees", "[P9][own]") {
  Given stage;
  stage.provider(settings_event("session.created", session_with(nullptr), "e1"));
  stage.provider_got();
  stage.provider(updated(whisper, "alloy", "e2"));
  Json wanted = transcription_of(nullptr);
  wanted["audio"]["output"] = {{"voice", "nobody"}};
  stage.client(client_update(wanted));
  stage.provider_got();
  stage.client_got();
  stage.provider(
      update_refusal("e3", {{"code", "invalid_value"}, {"param", "session.audio.output"}}));
  speak(stage);
  CHECK(any_transcription(stage.client_got()));
}

TEST_CASE("transcription stays hidden over a loss, a return and another process",
          "[P8][P9][own][handover]") {
  SessionOptions options = with_reconnect();
  options.resume_window_ms = 30'000;
  Given first(options);
  first.provider(settings_event("session.created", session_with(nullptr), "e1"));
  first.provider_got();
  first.provider(updated(whisper, "alloy", "e2"));
  first.client(client_update(transcription_of(nullptr)));
  first.provider_got();
  first.provider(updated(nullptr, "alloy", "e3"));
  first.provider_got();
  first.provider(updated(whisper, "alloy", "e4"));
  first.client_got();
  SECTION("the provider's connection is lost") {
    first.session.upstream_gone(first.upstream, lost, first.clock);
    reconnect(first, "sess_2");
    first.journal.sync();
    first.provider_got();
    CHECK(first.client_got().empty());
    speak(first);
    CHECK_FALSE(any_transcription(first.client_got()));
  }
  const auto returns = [](Stage& stage) {
    stage.session.client_returned({}, stage.clock);
    stage.journal.sync();
    stage.pass(100);
    const auto received = stage.drain_client();
    CHECK(Json::parse(received.at(0))["session"]["audio"]["input"]["transcription"].is_null());
    CHECK_FALSE(any_transcription(received));
    for (const std::string& message : received) CHECK(message.find("Goodbye") == message.npos);
  };
  SECTION("its client comes back") {
    speak(first);
    returns(first);
  }
  SECTION("another process takes it up") {
    speak(first);
    first.session.suspend("restart", first.clock);
    REQUIRE(first.journal.handovers.size() == 1);
    Transcript folded;
    for (const auto& row : first.journal.rows) folded.apply(row.event, row.at);
    Stage second(options);
    second.session.take_up(std::move(folded),
                           SessionSettings::from_json(first.journal.handovers[0].settings_json),
                           second.clock);
    returns(second);
    reconnect(second, "sess_2");
    second.journal.sync();
    second.drain_upstream();
    second.drain_client();
    second.provider(
        R"({"type":"conversation.item.input_audio_transcription.completed","event_id":"e7",)"
        R"("item_id":"u2","content_index":0,"transcript":"Unseen."})");
    second.journal.sync();
    CHECK(second.drain_client().empty());
  }
}

TEST_CASE("a handover of an earlier version is accepted, and the token's settings apply",
          "[P8][own][handover]") {
  const std::string bare = session_with(whisper).dump();
  for (const bool by_token : {true, false}) {
    SessionOptions options = by_token ? bound_to(transcription_of(nullptr)) : with_reconnect();
    options.resume_window_ms = 30'000;
    Stage stage(options);
    stage.session.take_up(Transcript(), SessionSettings::from_json(bare), stage.clock);
    stage.session.client_returned({}, stage.clock);
    stage.journal.sync();
    stage.pass(100);
    CHECK(only(stage.drain_client())["session"] ==
          session_with(by_token ? Json(nullptr) : whisper));
  }
}

TEST_CASE("a beta client that wants no transcription sees none", "[P9][own][dialect]") {
  Stage stage(with_reconnect(), false, &beta_dialect());
  stage.session.upstream_opened(stage.dial(), stage.clock);
  stage.provider(settings_event("session.created", session_with(nullptr), "e1"));
  stage.drain_upstream();
  stage.provider(updated(whisper, "alloy", "e2"));
  stage.client(R"({"type":"session.update","session":{"input_audio_transcription":null}})");
  stage.drain_upstream();
  stage.provider(updated(nullptr, "alloy", "e3"));
  stage.drain_upstream();
  stage.provider(updated(whisper, "alloy", "e4"));
  stage.client(R"({"type":"session.update","session":{"voice":"cedar"}})");
  stage.drain_upstream();
  stage.provider(updated(whisper, "cedar", "e5"));
  speak(stage);
  stage.journal.sync();
  const auto got = stage.drain_client();
  CHECK_FALSE(any_transcription(got));
  REQUIRE(types(got) ==
          std::vector<std::string>{"session.created", "session.updated", "session.updated",
                                   "input_audio_buffer.speech_started",
                                   "input_audio_buffer.committed", "conversation.item.created"});
  CHECK(Json::parse(got[2])["session"]["voice"] == "cedar");
  CHECK(Json::parse(got[2])["session"]["input_audio_transcription"].is_null());
}

TEST_CASE("hiding transcription leaves the rest of a message byte for byte", "[P9][own]") {
  SessionSettings settings;
  settings.hide_transcription(true);
  const std::string shown =
      R"({ "type":"session.updated", "x":1e400,"session":{"a":"\ud83d","audio":)"
      R"({"input":{"z":[1, 2],"transcription":{"model":"m"},"y":0},"output":{ "b" : 1 }}}})";
  CHECK(settings.without_transcription(shown) ==
        R"({"type":"session.updated","x":1e400,"session":{"a":"\ud83d","audio":)"
        R"({"input":{"z":[1, 2],"transcription":null,"y":0},"output":{ "b" : 1 }}}})");
  CHECK(settings.without_transcription(
            R"({"session":{"input_audio_transcription":{"model":"m"}}})") ==
        R"({"session":{"input_audio_transcription":null}})");
  for (const char* untouched : {R"({"session":{"audio":{"input":{"transcription":null}}}})",
                                R"({"session":{}})", R"({"session":5})", "{}", ""})
    CHECK_FALSE(settings.without_transcription(untouched));
  settings.hide_transcription(false);
  CHECK_FALSE(settings.without_transcription(shown));
}
