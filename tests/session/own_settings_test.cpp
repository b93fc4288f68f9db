// Requests that the relay makes of the provider for itself are invisible to the client; each
// request of the client gets one answer (P9).
#include "tests/session/own_settings.hpp"

using namespace verbatim;
using namespace verbatim::session;
using namespace verbatim::session::test;
using namespace verbatim::transcript;

TEST_CASE("the answer to the relay's own update does not reach the client", "[P9][own]") {
  Given stage;
  const std::string created = settings_event("session.created", session_with(nullptr), "e1");
  stage.provider(created);
  REQUIRE(types(stage.provider_got()) == std::vector<std::string>{"session.update"});
  stage.provider(updated(whisper, "alloy", "e2"));
  CHECK(stage.client_got() == std::vector<std::string>{created});
}

TEST_CASE("a refusal of the relay's own update does not reach the client, with an id or without",
          "[P9][own]") {
  for (const Json& error :
       {Json{{"code", "invalid_value"}, {"event_id", "verbatim_transcription"}},
        Json{{"code", "model_not_found"},
             {"param", "session.audio.input.transcription.model"},
             {"event_id", nullptr}},
        Json{{"code", nullptr}, {"message", "Unknown transcription model."}},
        Json{{"message", "This server does not know session.update."}}, Json::object()}) {
    CAPTURE(error.dump());
    Given stage;
    stage.provider(settings_event("session.created", session_with(nullptr), "e1"));
    stage.provider_got();
    stage.provider(update_refusal("e2", error));
    CHECK(types(stage.client_got()) == std::vector<std::string>{"session.created"});
    CHECK(stage.session.counts().own_requests_refused == 1);
    CHECK_FALSE(stage.session.refused_code().empty());
    CHECK(stage.provider_got().empty());  // asked once, not repeatedly
    stage.provider(speech_started);
    CHECK(stage.provider_got().empty());
  }
}

TEST_CASE("an error about something else reaches the client while the relay's update is open",
          "[P9][own]") {
  for (const Json& error :
       {Json{{"code", "response_cancel_not_active"}, {"event_id", nullptr}},
        Json{{"code", "input_audio_buffer_commit_empty"}},
        Json{{"code", "invalid_value"}, {"param", "item.content"}},
        Json{{"code", "invalid_value"}, {"event_id", "the_clients_own"}},
        Json{{"code", "session_expired"}, {"message", "Your session hit the maximum duration"}},
        Json{{"message", "No response is active."}}}) {
    CAPTURE(error.dump());
    Given stage;
    stage.provider(settings_event("session.created", session_with(nullptr), "e1"));
    stage.provider_got();
    const std::string rejection = update_refusal("e2", error);
    stage.provider(rejection);
    stage.provider(updated(whisper, "alloy", "e3"));
    const auto got = stage.client_got();
    REQUIRE(got.size() == 2);
    CHECK(got[1] == rejection);
    CHECK(stage.session.counts().own_requests_refused == 0);
  }
}

TEST_CASE("a provider that refuses the connection is not taken to refuse an update", "[P9][own]") {
  Given stage(bound_to({{"type", "realtime"}, {"instructions", "Be kind."}}));
  const std::string rejection =
      update_refusal("e1", {{"code", nullptr}, {"message", "Who are you?"}});
  stage.provider(rejection);
  CHECK(stage.client_got() == std::vector<std::string>{rejection});
}

TEST_CASE("a client's own update gets exactly its own answer, beside the relay's", "[P9][own]") {
  // Which of the two goes first, and which is refused; with its event_id or without.
  for (const bool client_first : {true, false})
    for (const std::string refused : {"none", "relay", "client"})
      for (const bool named : {true, false}) {
        CAPTURE(client_first, refused, named);
        Given stage;
        const auto from_client =
            client_update(voice_of("cedar"), named ? Json("mine") : Json(nullptr));
        if (client_first) stage.client(from_client);
        stage.provider(settings_event("session.created", session_with(nullptr), "e1"));
        if (!client_first) stage.client(from_client);
        auto sent = stage.provider_got();
        if (client_first) {
          // The relay waits for the answer to the client's earlier request.
          REQUIRE(sent == std::vector<std::string>{from_client});
        } else {
          REQUIRE(sent.size() == 2);
          REQUIRE(sent[1] == from_client);
        }
        stage.client_got();
        Json voice = "alloy";
        Json transcription = nullptr;
        std::vector<std::string> expected;
        int answers = 0;
        for (std::size_t i = 0; i < sent.size(); ++i) {
          const Json update = Json::parse(sent[i]);
          const bool clients = sent[i] == from_client;
          const std::string id = "a" + std::to_string(++answers);
          std::string answer;
          if (refused == (clients ? "client" : "relay")) {
            Json error = {{"code", "invalid_value"},
                          {"param", clients ? "session.audio.output.voice"
                                            : "session.audio.input.transcription.model"}};
            if (named && update.contains("event_id")) error["event_id"] = update["event_id"];
            answer = update_refusal(id, error);
          } else {
            if (clients) voice = "cedar";
            if (!clients) transcription = whisper;
            answer = updated(transcription, voice, id);
          }
          if (clients) expected.push_back(answer);
          stage.provider(answer);
          for (auto& more : stage.provider_got()) sent.push_back(std::move(more));
        }
        CHECK(answers == 2);
        CHECK(stage.client_got() == expected);
        CHECK(expected.size() == 1);
      }
}

TEST_CASE("a provider that answers the client's update alone is not taken to answer the relay's",
          "[P9][own]") {
  Given stage;
  stage.provider(settings_event("session.created", session_with(nullptr), "e1"));
  stage.client(client_update(transcription_of({{"model", "whisper-1"}})));
  REQUIRE(stage.provider_got().size() == 2);  // both were sent, the relay's first
  stage.client_got();
  stage.provider(updated({{"model", "whisper-1"}}, "alloy", "e2"));
  CHECK(types(stage.client_got()) == std::vector<std::string>{"session.updated"});
}

TEST_CASE("a client's update that went with a lost connection is answered once, on the next",
          "[P8][P9][own][reconnect]") {
  Given stage;
  stage.provider(settings_event("session.created", session_with(nullptr), "e1"));
  stage.client(client_update(voice_of("cedar")));
  REQUIRE(stage.provider_got().size() == 2);
  stage.client_got();
  stage.session.upstream_gone(stage.upstream, lost, stage.clock);
  stage.pass(10'000);
  stage.session.upstream_opened(stage.dial(), stage.clock);
  stage.provider(created("sess_2"));
  REQUIRE(types(stage.provider_got()) == std::vector<std::string>{"session.update"});
  stage.provider(updated(nullptr, "alloy", "e2"));  // the answer to the new connection's settings
  const auto sent = stage.provider_got();
  REQUIRE(sent.size() == 1);
  CHECK(sent[0] == client_update(voice_of("cedar")));
  CHECK(stage.client_got().empty());
  const std::string answer = updated(nullptr, "cedar", "e3");
  stage.provider(answer);
  CHECK(stage.client_got() == std::vector<std::string>{answer});
  // Only now the relay asks for itself, and the client does not see it.
  CHECK(types(stage.provider_got()) == std::vector<std::string>{"session.update"});
  stage.provider(updated(whisper, "cedar", "e4"));
  CHECK(stage.client_got().empty());
}

TEST_CASE("of two updates of a client the one that is refused by name is not asked again",
          "[P8][own][reconnect]") {
  Given stage;
  stage.provider(settings_event("session.created", session_with(whisper), "e1"));
  stage.client(client_update(voice_of("cedar"), "first"));
  stage.client(client_update(voice_of("nobody"), "second"));
  REQUIRE(stage.provider_got().size() == 2);
  stage.provider(update_refusal("e2", {{"code", "invalid_value"}, {"event_id", "second"}}));
  stage.client_got();
  stage.session.upstream_gone(stage.upstream, lost, stage.clock);
  reconnect(stage, "sess_2");
  CHECK(stage.provider_got() ==
        std::vector<std::string>{client_update(voice_of("cedar"), "first")});
}

// ---- settings that a token fixes -----------------------------------------------------------

TEST_CASE("session.created shows the token's settings, and no other event does", "[P9][own]") {
  Given stage(bound_to({{"type", "realtime"}, {"instructions", "Be kind."}}));
  REQUIRE(types(stage.provider_got()) == std::vector<std::string>{"session.update"});
  stage.provider(settings_event("session.created", session_with(nullptr), "e1"));
  CHECK(stage.client_got().empty());
  Json in_force = session_with(whisper, "cedar");
  in_force["instructions"] = "Be kind.";
  stage.provider(settings_event("session.updated", in_force, "e2"));
  const Json shown = only(stage.client_got());
  CHECK(shown["type"] == "session.created");
  CHECK(shown["event_id"] == "e1");
  CHECK(shown["session"] == in_force);
  const std::string next = added(typed_message("u0", "Hi."), nullptr, "e3");
  stage.provider(next);
  CHECK(stage.client_got() == std::vector<std::string>{next});
}

TEST_CASE("a token without visible settings does not delay session.created", "[P9][own]") {
  Given stage(bound_to({{"type", "realtime"}}));
  const std::string created = settings_event("session.created", session_with(nullptr), "e1");
  stage.provider(created);
  CHECK(stage.client_got() == std::vector<std::string>{created});
  stage.provider(updated(whisper, "alloy", "e2"));
  CHECK(stage.client_got().empty());
}

TEST_CASE("session.created does not wait for a provider that does not answer the configuration",
          "[P9][P11][own]") {
  const std::string created = settings_event("session.created", session_with(nullptr), "e1");
  const Json bound = {{"type", "realtime"}, {"instructions", "Be kind."}};
  SECTION("for long") {
    Given stage(bound_to(bound));
    stage.provider(created);
    CHECK(stage.client_got().empty());
    CHECK(stage.session.next_deadline_ms() <= stage.clock.mono_ms + 2'000);
    stage.pass(2'000);
    CHECK(stage.client_got() == std::vector<std::string>{created});
    stage.provider(updated(whisper, "alloy", "e2"));  // the relay's own request, even this late
    CHECK(stage.client_got().empty());
  }
  SECTION("once it goes on with something else") {
    Given stage(bound_to(bound));
    stage.provider(created);
    stage.provider(speech_started);
    CHECK(stage.client_got() == std::vector<std::string>{created, speech_started});
  }
  SECTION("and is there for a client before the conversation ends") {
    Given stage(bound_to(bound));
    stage.provider(created);
    stage.session.end(CloseReason::idle_timeout, "silence", stage.clock);
    CHECK(types(stage.client_got()) == std::vector<std::string>{"session.created", "error"});
  }
  SECTION("and one that comes back meanwhile gets it once") {
    SessionOptions options = bound_to(bound);
    options.resume_window_ms = 30'000;
    Given stage(options);
    stage.provider(created);
    stage.session.client_gone(lost, stage.clock);
    stage.session.client_returned({}, stage.clock);
    stage.provider(updated(whisper, "cedar", "e2"));
    const Json shown = only(stage.client_got());
    CHECK(shown["session"]["audio"]["output"]["voice"] == "cedar");
  }
}

TEST_CASE("a configuration refused with transcription is tried without, invisibly for the client",
          "[P9][own]") {
  Given stage(bound_to({{"type", "realtime"}, {"instructions", "Be kind."}}));
  const std::string created = settings_event("session.created", session_with(nullptr), "e1");
  stage.provider(created);
  const Json first = only(stage.provider_got());
  CHECK(first["session"]["audio"]["input"]["transcription"]["model"].is_string());
  stage.provider(
      update_refusal("e2", {{"code", "invalid_value"}, {"event_id", first["event_id"]}}));
  const Json second = only(stage.provider_got());
  CHECK(second["session"] == Json{{"type", "realtime"}, {"instructions", "Be kind."}});
  SECTION("and taken") {
    Json in_force = session_with(nullptr);
    in_force["instructions"] = "Be kind.";
    stage.provider(settings_event("session.updated", in_force, "e3"));
    CHECK(only(stage.client_got())["session"] == in_force);
    const Json third = only(stage.provider_got());  // transcription by itself
    CHECK(third["session"]["audio"]["input"]["transcription"]["model"].is_string());
    stage.provider(
        update_refusal("e4", {{"code", "invalid_value"}, {"event_id", third["event_id"]}}));
    CHECK(stage.client_got().empty());
    CHECK(stage.provider_got().empty());
    CHECK(stage.session.counts().own_requests_refused == 2);
  }
  SECTION("and refused as well") {
    stage.provider(
        update_refusal("e3", {{"code", "invalid_value"}, {"event_id", second["event_id"]}}));
    CHECK(types(stage.provider_got()) == std::vector<std::string>{"session.update"});
    stage.provider(updated(whisper, "alloy", "e4"));
    CHECK(types(stage.client_got()) == std::vector<std::string>{"session.created"});
  }
}

TEST_CASE("a provider's code that is not a plain name is not logged", "[P10][own]") {
  for (const std::string& code :
       {std::string("my secret is: hush"), std::string(65, 'x'), std::string("line\nbreak")}) {
    Given stage;
    stage.provider(settings_event("session.created", session_with(nullptr), "e1"));
    stage.provider_got();
    stage.provider(update_refusal("e2", {{"code", code}, {"event_id", "verbatim_transcription"}}));
    CHECK(stage.session.refused_code() == "other");
  }
}
