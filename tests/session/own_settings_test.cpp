// Requests that the relay makes of the provider for itself are invisible to the client; each
// request of the client gets one answer (P9).
#include <algorithm>

#include "tests/session/rebuild.hpp"

using namespace verbatim;
using namespace verbatim::session;
using namespace verbatim::session::test;

namespace {

json session_with(const json& transcription, const std::string& voice = "alloy") {
  return {
      {"type", "realtime"},
      {"id", "sess_p"},
      {"audio", {{"input", {{"transcription", transcription}}}, {"output", {{"voice", voice}}}}}};
}

const json whisper = {{"model", "whisper-1"}};

std::string says(const char* type, const json& session, const std::string& event_id) {
  return json{{"type", type}, {"event_id", event_id}, {"session", session}}.dump();
}

std::string updated(const json& transcription, const std::string& voice,
                    const std::string& event_id) {
  return says("session.updated", session_with(transcription, voice), event_id);
}

std::string refusal(const std::string& event_id, json error) {
  error["type"] = "invalid_request_error";
  return json{{"type", "error"}, {"event_id", event_id}, {"error", error}}.dump();
}

std::string client_update(const json& session, const json& event_id = nullptr) {
  json update = {{"type", "session.update"}, {"session", session}};
  update["session"]["type"] = "realtime";
  if (!event_id.is_null()) update["event_id"] = event_id;
  return update.dump();
}

json voice_of(const std::string& voice) { return {{"audio", {{"output", {{"voice", voice}}}}}}; }

json transcription_of(const json& transcription) {
  return {{"audio", {{"input", {{"transcription", transcription}}}}}};
}

SessionOptions bound_to(const json& session) {
  SessionOptions options = with_reconnect();
  options.session_config_json = session.dump();
  return options;
}

struct Given : Stage {
  explicit Given(SessionOptions options = with_reconnect()) : Stage(std::move(options)) {
    session.upstream_opened(dial(), clock);
  }
  std::vector<std::string> client_got() {
    journal.sync();
    return drain_client();
  }
  std::vector<std::string> provider_got() {
    journal.sync();
    return drain_upstream();
  }
};

/// A user's speech with a transcription by the provider.
void speak(Stage& stage) {
  stage.provider(speech_started);
  stage.provider(R"({"type":"conversation.item.input_audio_transcription.delta","event_id":"s1",)"
                 R"("item_id":"u1","content_index":0,"delta":"Good"})");
  stage.provider(committed);
  stage.provider(
      R"({"type":"conversation.item.added","event_id":"s2","previous_item_id":null,"item":)"
      R"({"id":"u1","type":"message","role":"user","status":"completed","content":)"
      R"([{"type":"input_audio","transcript":null}]}})");
  stage.provider(
      R"({"type":"conversation.item.input_audio_transcription.segment","event_id":"s3",)"
      R"("item_id":"u1","content_index":0,"id":"g","speaker":"A","start":0,"end":1,"text":"G"})");
  stage.provider(transcribed);
}

bool any_transcription(const std::vector<std::string>& messages) {
  return std::any_of(messages.begin(), messages.end(), [](const std::string& message) {
    return message.find("input_audio_transcription.") != message.npos;
  });
}

}  // namespace

TEST_CASE("the answer to the relay's own update does not reach the client", "[P9][own]") {
  Given stage;
  const std::string created = says("session.created", session_with(nullptr), "e1");
  stage.provider(created);
  REQUIRE(types(stage.provider_got()) == std::vector<std::string>{"session.update"});
  stage.provider(updated(whisper, "alloy", "e2"));
  CHECK(stage.client_got() == std::vector<std::string>{created});
}

TEST_CASE("a refusal of the relay's own update does not reach the client, with an id or without",
          "[P9][own]") {
  for (const json& error :
       {json{{"code", "invalid_value"}, {"event_id", "verbatim_transcription"}},
        json{{"code", "model_not_found"},
             {"param", "session.audio.input.transcription.model"},
             {"event_id", nullptr}},
        json{{"code", nullptr}, {"message", "Unknown transcription model."}},
        json{{"message", "This server does not know session.update."}}, json::object()}) {
    CAPTURE(error.dump());
    Given stage;
    stage.provider(says("session.created", session_with(nullptr), "e1"));
    stage.provider_got();
    stage.provider(refusal("e2", error));
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
  for (const json& error :
       {json{{"code", "response_cancel_not_active"}, {"event_id", nullptr}},
        json{{"code", "input_audio_buffer_commit_empty"}},
        json{{"code", "invalid_value"}, {"param", "item.content"}},
        json{{"code", "invalid_value"}, {"event_id", "the_clients_own"}},
        json{{"code", "session_expired"}, {"message", "Your session hit the maximum duration"}},
        json{{"message", "No response is active."}}}) {
    CAPTURE(error.dump());
    Given stage;
    stage.provider(says("session.created", session_with(nullptr), "e1"));
    stage.provider_got();
    const std::string rejection = refusal("e2", error);
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
  const std::string rejection = refusal("e1", {{"code", nullptr}, {"message", "Who are you?"}});
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
            client_update(voice_of("cedar"), named ? json("mine") : json(nullptr));
        if (client_first) stage.client(from_client);
        stage.provider(says("session.created", session_with(nullptr), "e1"));
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
        json voice = "alloy";
        json transcription = nullptr;
        std::vector<std::string> expected;
        int answers = 0;
        for (std::size_t i = 0; i < sent.size(); ++i) {
          const json update = json::parse(sent[i]);
          const bool clients = sent[i] == from_client;
          const std::string id = "a" + std::to_string(++answers);
          std::string answer;
          if (refused == (clients ? "client" : "relay")) {
            json error = {{"code", "invalid_value"},
                          {"param", clients ? "session.audio.output.voice"
                                            : "session.audio.input.transcription.model"}};
            if (named && update.contains("event_id")) error["event_id"] = update["event_id"];
            answer = refusal(id, error);
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
  stage.provider(says("session.created", session_with(nullptr), "e1"));
  stage.client(client_update(transcription_of({{"model", "whisper-1"}})));
  REQUIRE(stage.provider_got().size() == 2);  // both were sent, the relay's first
  stage.client_got();
  stage.provider(updated({{"model", "whisper-1"}}, "alloy", "e2"));
  CHECK(types(stage.client_got()) == std::vector<std::string>{"session.updated"});
}

TEST_CASE("a client's update that went with a lost connection is answered once, on the next",
          "[P8][P9][own][reconnect]") {
  Given stage;
  stage.provider(says("session.created", session_with(nullptr), "e1"));
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
  stage.provider(says("session.created", session_with(whisper), "e1"));
  stage.client(client_update(voice_of("cedar"), "first"));
  stage.client(client_update(voice_of("nobody"), "second"));
  REQUIRE(stage.provider_got().size() == 2);
  stage.provider(refusal("e2", {{"code", "invalid_value"}, {"event_id", "second"}}));
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
  stage.provider(says("session.created", session_with(nullptr), "e1"));
  CHECK(stage.client_got().empty());
  json in_force = session_with(whisper, "cedar");
  in_force["instructions"] = "Be kind.";
  stage.provider(says("session.updated", in_force, "e2"));
  const json shown = only(stage.client_got());
  CHECK(shown["type"] == "session.created");
  CHECK(shown["event_id"] == "e1");
  CHECK(shown["session"] == in_force);
  const std::string next = added(typed("u0", "Hi."), nullptr, "e3");
  stage.provider(next);
  CHECK(stage.client_got() == std::vector<std::string>{next});
}

TEST_CASE("a token without visible settings does not delay session.created", "[P9][own]") {
  Given stage(bound_to({{"type", "realtime"}}));
  const std::string created = says("session.created", session_with(nullptr), "e1");
  stage.provider(created);
  CHECK(stage.client_got() == std::vector<std::string>{created});
  stage.provider(updated(whisper, "alloy", "e2"));
  CHECK(stage.client_got().empty());
}

TEST_CASE("session.created does not wait for a provider that does not answer the configuration",
          "[P9][P11][own]") {
  const std::string created = says("session.created", session_with(nullptr), "e1");
  const json bound = {{"type", "realtime"}, {"instructions", "Be kind."}};
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
    const json shown = only(stage.client_got());
    CHECK(shown["session"]["audio"]["output"]["voice"] == "cedar");
  }
}

TEST_CASE("a configuration refused with transcription is tried without, invisibly for the client",
          "[P9][own]") {
  Given stage(bound_to({{"type", "realtime"}, {"instructions", "Be kind."}}));
  const std::string created = says("session.created", session_with(nullptr), "e1");
  stage.provider(created);
  const json first = only(stage.provider_got());
  CHECK(first["session"]["audio"]["input"]["transcription"]["model"].is_string());
  stage.provider(refusal("e2", {{"code", "invalid_value"}, {"event_id", first["event_id"]}}));
  const json second = only(stage.provider_got());
  CHECK(second["session"] == json{{"type", "realtime"}, {"instructions", "Be kind."}});
  SECTION("and taken") {
    json in_force = session_with(nullptr);
    in_force["instructions"] = "Be kind.";
    stage.provider(says("session.updated", in_force, "e3"));
    CHECK(only(stage.client_got())["session"] == in_force);
    const json third = only(stage.provider_got());  // transcription by itself
    CHECK(third["session"]["audio"]["input"]["transcription"]["model"].is_string());
    stage.provider(refusal("e4", {{"code", "invalid_value"}, {"event_id", third["event_id"]}}));
    CHECK(stage.client_got().empty());
    CHECK(stage.provider_got().empty());
    CHECK(stage.session.counts().own_requests_refused == 2);
  }
  SECTION("and refused as well") {
    stage.provider(refusal("e3", {{"code", "invalid_value"}, {"event_id", second["event_id"]}}));
    CHECK(types(stage.provider_got()) == std::vector<std::string>{"session.update"});
    stage.provider(updated(whisper, "alloy", "e4"));
    CHECK(types(stage.client_got()) == std::vector<std::string>{"session.created"});
  }
}

TEST_CASE("a provider's code that is no plain name is not logged", "[P10][own]") {
  for (const std::string& code :
       {std::string("my secret is: hush"), std::string(65, 'x'), std::string("line\nbreak")}) {
    Given stage;
    stage.provider(says("session.created", session_with(nullptr), "e1"));
    stage.provider_got();
    stage.provider(refusal("e2", {{"code", code}, {"event_id", "verbatim_transcription"}}));
    CHECK(stage.session.refused_code() == "other");
  }
}

// ---- a client that wants no transcription --------------------------------------------------

TEST_CASE(
    "a client that sets transcription to null gets no transcription events, and the text is kept",
    "[P9][P13][own]") {
  for (const bool by_token : {true, false}) {
    CAPTURE(by_token);
    Given stage(by_token ? bound_to(transcription_of(nullptr)) : with_reconnect());
    stage.provider(says("session.created", session_with(nullptr), "e1"));
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
    const json shown = only(stage.client_got())["session"];
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
  for (const json& token :
       {json{{"type", "realtime"}}, json{{"instructions", "Be kind."}},
        json{{"audio", {{"input", {{"noise_reduction", nullptr}}}}}}, transcription_of(whisper)}) {
    CAPTURE(token.dump());
    Given stage(bound_to(token));
    stage.provider(says("session.created", session_with(nullptr), "e1"));
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
    CHECK(json::parse(got[1])["session"]["audio"]["input"]["transcription"] == whisper);
  }
}

TEST_CASE("a refused update changes nothing that a client sees", "[P9][own]") {
  Given stage;
  stage.provider(says("session.created", session_with(nullptr), "e1"));
  stage.provider_got();
  stage.provider(updated(whisper, "alloy", "e2"));
  json wanted = transcription_of(nullptr);
  wanted["audio"]["output"] = {{"voice", "nobody"}};
  stage.client(client_update(wanted));
  stage.provider_got();
  stage.client_got();
  stage.provider(refusal("e3", {{"code", "invalid_value"}, {"param", "session.audio.output"}}));
  speak(stage);
  CHECK(any_transcription(stage.client_got()));
}

TEST_CASE("transcription stays hidden over a loss, a return and another process",
          "[P8][P9][own][handover]") {
  SessionOptions options = with_reconnect();
  options.resume_window_ms = 30'000;
  Given first(options);
  first.provider(says("session.created", session_with(nullptr), "e1"));
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
    CHECK(json::parse(received.at(0))["session"]["audio"]["input"]["transcription"].is_null());
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
          session_with(by_token ? json(nullptr) : whisper));
  }
}

TEST_CASE("a beta client that wants no transcription sees none", "[P9][own][dialect]") {
  Stage stage(with_reconnect(), false, &beta_dialect());
  stage.session.upstream_opened(stage.dial(), stage.clock);
  stage.provider(says("session.created", session_with(nullptr), "e1"));
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
  CHECK(json::parse(got[2])["session"]["voice"] == "cedar");
  CHECK(json::parse(got[2])["session"]["input_audio_transcription"].is_null());
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
