// A conversation continues after its process was killed: everything that the next process needs is
// in the journal (P14).
#include <algorithm>

#include "session/protocol/session_settings.hpp"
#include "tests/session/rebuild.hpp"

using namespace verbatim;
using namespace verbatim::protocol;
using namespace verbatim::session;
using namespace verbatim::session::test;
using namespace verbatim::transcript;

namespace {

constexpr const char* asked_to_be_brief =
    R"({"type":"session.updated","event_id":"e3","session":{"type":"realtime","id":"sess_p",)"
    R"("instructions":"Be brief.","audio":{"input":{"transcription":{"model":"whisper-1"}}}}})";

SessionOptions with_reconnect_and_window() {
  SessionOptions options = with_reconnect();
  options.resume_window_ms = 30'000;
  return options;
}

std::vector<std::string> settings_in(const MemoryJournal& journal) {
  std::vector<std::string> found;
  for (const auto& row : journal.rows)
    if (const auto* changed = std::get_if<SettingsChanged>(&row.event.body))
      found.push_back(changed->json);
  return found;
}

/// The transcript that the next process folds.
Transcript folded(const MemoryJournal& journal) {
  Transcript transcript;
  for (const auto& row : journal.rows) transcript.apply(row.event, row.at);
  return transcript;
}

/// Continues in another stage what a kill has left in the journal.
void take_up(Stage& next, const MemoryJournal& killed, const ClientReturn& how = {}) {
  next.session.take_up(folded(killed), SessionSettings::from_json(settings_in(killed).back()),
                       next.clock);
  next.session.client_returned(how, next.clock);
}

}  // namespace

TEST_CASE("the settings in force are journaled whenever they change, and only then",
          "[P14][settings]") {
  Stage stage(with_reconnect_and_window());
  stage.open();
  const auto after_opening = settings_in(stage.journal);
  REQUIRE(after_opening.size() == 2);  // as created, and with the relay's transcription
  stage.provider(asked_to_be_brief);
  const auto settings = settings_in(stage.journal);
  REQUIRE(settings.size() == 3);
  CHECK(Json::parse(settings.back())["instructions"] == "Be brief.");
  const std::size_t rows = stage.journal.rows.size();
  converse(stage);
  stage.provider(
      R"({"type":"session.updated","event_id":"e4","session":{"type":"realtime","id":"sess_p",)"
      R"("instructions":"Be brief.","audio":{"input":{"transcription":{"model":"whisper-1"}}}}})");
  CHECK(settings_in(stage.journal).size() == 3);
  CHECK(stage.journal.rows.size() > rows);
}

TEST_CASE("no client sees settings that a kill could still lose", "[P1][P14][settings]") {
  Stage stage(with_reconnect_and_window());
  stage.open();
  stage.client(R"({"type":"session.update","session":{"instructions":"Be brief."}})");
  stage.drain_upstream();
  stage.provider(asked_to_be_brief);
  stage.journal.synced = stage.journal.submitted - 1;  // all but the settings
  CHECK(stage.drain_client().empty());
  stage.journal.sync();
  CHECK(only(stage.drain_client())["type"] == "session.updated");
}

TEST_CASE("a client's wish for no transcription is journaled with the settings",
          "[P14][settings]") {
  SessionOptions options = with_reconnect_and_window();
  options.session_config_json = R"({"audio":{"input":{"transcription":null}}})";
  Stage stage(options);
  stage.open();
  const auto settings = settings_in(stage.journal);
  REQUIRE_FALSE(settings.empty());
  CHECK(SessionSettings::from_json(settings.back()).hides_transcription());
}

TEST_CASE("a session without its token's settings is nothing that a process may continue",
          "[P10][P14][settings]") {
  SessionOptions options = with_reconnect_and_window();
  options.session_config_json = R"({"type":"realtime","instructions":"Be brief."})";
  Stage stage(options);
  stage.session.upstream_opened(stage.dial(), stage.clock);
  stage.drain_upstream();
  stage.provider(created_without_transcription);
  stage.pass(2'000);
  stage.provider(first_delta);
  CHECK(settings_in(stage.journal).empty());
  stage.provider(asked_to_be_brief);
  CHECK(settings_in(stage.journal).size() == 1);
}

TEST_CASE("a killed conversation continues with its settings, its history and a cut answer",
          "[P8][P14]") {
  Stage killed(with_reconnect_and_window());
  killed.open();
  killed.provider(asked_to_be_brief);
  converse(killed);

  Stage next(with_reconnect_and_window());
  take_up(next, killed.journal, {5, true});
  next.journal.sync();
  const auto shown = next.drain_client();
  const Json resumed = Json::parse(shown.front());
  CHECK(resumed["type"] == "verbatim.session");
  CHECK(resumed["replayed"] == false);
  CHECK(resumed["after"] == 5);
  CHECK(next.session.to_client().next_number() == 5 + 1 + shown.size());

  next.session.upstream_opened(next.dial(), next.clock);
  next.provider(created("sess_2"));
  next.journal.sync();
  const auto rebuilt = next.drain_upstream();
  REQUIRE(rebuilt.size() == 3);
  CHECK(Json::parse(rebuilt[0])["session"]["instructions"] == "Be brief.");
  CHECK(Json::parse(rebuilt[1])["item"]["id"] == "u0");
  CHECK(Json::parse(rebuilt[2])["item"]["content"][0]["text"] == "Hello");
  CHECK(next.session.identity().attempt == 7);
  // The next process journals the settings again: its own kill needs them too.
  CHECK(settings_in(next.journal) == std::vector{settings_in(killed.journal).back()});
}

TEST_CASE("messages that are not kept are announced to a client without extension events",
          "[P8][P14]") {
  Stage killed(with_reconnect_and_window());
  killed.open();
  converse(killed);
  Stage next(with_reconnect_and_window());
  take_up(next, killed.journal, {77, false});
  next.journal.sync();
  next.pass(100);
  const auto shown = next.drain_client();
  CHECK(Json::parse(shown.at(0))["error"]["code"] == "messages_not_kept");
  CHECK(Json::parse(shown.at(1))["type"] == "session.created");
  CHECK(next.session.to_client().next_number() == 78 + shown.size());
}

TEST_CASE("the longest duration counts from the attempt's start in another process", "[P11][P14]") {
  Stage killed(with_reconnect_and_window());
  killed.open();
  MemoryJournal journal;
  const Moment clock{killed.clock.wall + 3'590'000, 77'000};  // ten seconds are left
  RealtimeSession next({"sess_t", 7, 1, false, nullptr, killed.clock.wall},
                       with_reconnect_and_window(), journal, clock);
  next.take_up(folded(killed.journal),
               SessionSettings::from_json(settings_in(killed.journal).back()), clock);
  next.client_returned({}, clock);
  next.time_passed({clock.wall + 9'999, clock.mono_ms + 9'999});
  CHECK_FALSE(next.ended());
  next.time_passed({clock.wall + 10'000, clock.mono_ms + 10'000});
  REQUIRE(next.ended());
  CHECK(next.reason() == CloseReason::max_duration);
}

TEST_CASE("a clock that was set back does not lengthen a conversation's past", "[P11][P14]") {
  Stage killed(with_reconnect_and_window());
  killed.open();
  MemoryJournal journal;
  const Moment clock{killed.clock.wall - 1'000'000, 77'000};
  RealtimeSession next({"sess_t", 7, 1, false, nullptr, killed.clock.wall},
                       with_reconnect_and_window(), journal, clock);
  next.take_up(folded(killed.journal),
               SessionSettings::from_json(settings_in(killed.journal).back()), clock);
  next.client_returned({}, clock);
  next.time_passed({clock.wall, clock.mono_ms + 1});
  CHECK_FALSE(next.ended());
}

TEST_CASE("a budget goes on with what was used before the kill", "[P11][P14]") {
  SessionOptions options = with_reconnect_and_window();
  options.budget.tokens = 100;
  const auto answer = [](Stage& stage, const char* id) {
    stage.provider(std::string(R"({"type":"response.created","response":{"id":")") + id +
                   R"(","output":[]}})");
    stage.provider(std::string(R"({"type":"response.done","response":{"id":")") + id +
                   R"(","status":"completed","output":[],"usage":{"total_tokens":60,)"
                   R"("input_tokens":30,"output_tokens":30}}})");
  };
  Stage killed(options);
  killed.open();
  answer(killed, "r1");
  REQUIRE_FALSE(killed.session.ended());
  Stage next(options);
  take_up(next, killed.journal);
  next.session.upstream_opened(next.dial(), next.clock);
  next.provider(created("sess_2"));
  next.journal.sync();
  for (const std::string& message : next.drain_upstream())
    if (Json::parse(message)["type"] == "session.update") next.provider(asked_to_be_brief);
  REQUIRE_FALSE(next.session.ended());
  answer(next, "r2");
  REQUIRE(next.session.ended());
  CHECK(next.session.reason() == CloseReason::policy);
}

TEST_CASE("a transcription session measures its audio with each utterance", "[P11][P14][meter]") {
  SessionOptions options = with_reconnect_and_window();
  options.transcription = true;
  Stage stage(options);
  stage.session.upstream_opened(stage.dial(), stage.clock);
  stage.provider(R"({"type":"session.created","event_id":"e1","session":{"type":"transcription",)"
                 R"("id":"sess_p","audio":{"input":{"transcription":{"model":"whisper-1"}}}}})");
  stage.client(R"({"type":"input_audio_buffer.append","audio":")" + std::string(64'000, 'A') +
               "\"}");
  const auto metered = [&] {
    std::int64_t ms = 0;
    for (const auto& row : stage.journal.rows)
      if (const auto* audio = std::get_if<AudioMetered>(&row.event.body)) ms = audio->input_ms;
    return ms;
  };
  stage.provider(speech_committed);
  CHECK(metered() == 0);
  stage.provider(transcribed);
  CHECK(metered() == 1000);
}
