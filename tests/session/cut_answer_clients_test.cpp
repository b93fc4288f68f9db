// The ends of a cut answer, for clients that are away, have been resynced, speak beta, or return to
// another process (P8, P9).
#include <algorithm>
#include <set>

#include "session/protocol/clients/beta_dialect.hpp"
#include "tests/session/answers.hpp"

using namespace verbatim;
using namespace verbatim::protocol;
using namespace verbatim::session;
using namespace verbatim::session::test;
using namespace verbatim::transcript;

TEST_CASE("a client that was away gets the ends of an answer among the missed messages",
          "[P8][resume][cut]") {
  SessionOptions options = with_reconnect();
  options.resume_window_ms = 30'000;
  Stage stage(options);
  stage.open();
  converse(stage);
  const auto has = stage.session.to_client().next_number() - 1;
  stage.session.client_gone(lost, stage.clock);
  stage.session.upstream_gone(stage.upstream, lost, stage.clock);
  stage.journal.sync();
  stage.session.client_returned({has, false}, stage.clock);
  CHECK(types(stage.drain_client()) == joined({spoken_end, item_end, {"response.done"}}));
}

TEST_CASE("an answer that a resynced client was sent is ended for it as well",
          "[P8][resume][cut]") {
  SessionOptions options = with_reconnect();
  options.resume_window_ms = 30'000;
  Stage stage(options);
  stage.open();
  Provider provider(stage);
  provider.respond("r1");
  provider.item("r1", 0, message("a1"), nullptr);
  provider.in_part("response.content_part.added", "r1", 0, "a1", 0,
                   {{"part", {{"type", "text"}, {"text", ""}}}});
  provider.in_part("response.output_text.delta", "r1", 0, "a1", 0, {{"delta", "Seen."}});
  provider.in_part("response.output_text.done", "r1", 0, "a1", 0, {{"text", "Seen."}});
  provider.in_part("response.content_part.done", "r1", 0, "a1", 0,
                   {{"part", {{"type", "text"}, {"text", "Seen."}}}});
  provider.in_part("response.content_part.added", "r1", 0, "a1", 1,
                   {{"part", {{"type", "audio"}, {"transcript", ""}}}});
  provider.in_part("response.output_audio_transcript.delta", "r1", 0, "a1", 1, {{"delta", "Spo"}});
  provider.item("r1", 1, call("f1"), "a1");
  provider.say("response.function_call_arguments.delta", {{"response_id", "r1"},
                                                          {"item_id", "f1"},
                                                          {"output_index", 1},
                                                          {"call_id", "call_7"},
                                                          {"delta", "{"}});
  stage.journal.sync();
  stage.drain_client();
  stage.session.client_gone(lost, stage.clock);
  stage.session.client_returned({}, stage.clock);
  stage.journal.sync();
  stage.pass(100);
  const auto resynced = parsed(stage.drain_client());
  REQUIRE(types_of(resynced) ==
          joined({{"session.created", "conversation.item.added", "conversation.item.added",
                   "response.created", "response.output_item.added", "response.content_part.added",
                   "response.output_text.delta"},
                  written_end,
                  {"response.content_part.added", "response.output_audio_transcript.delta",
                   "response.output_item.added", "response.function_call_arguments.delta"}}));
  CHECK(resynced[3]["response"]["metadata"] == Json{{"topic", "greeting"}});
  CHECK(resynced[3]["response"]["status"] == "in_progress");
  CHECK(resynced[9]["content_index"] == 1);
  CHECK(resynced[11]["item"] == call("f1"));
  CHECK(resynced[12]["delta"] == "{");
  const auto received = lose(stage);
  CHECK(types_of(received) == joined({spoken_end,
                                      item_end,
                                      {"response.function_call_arguments.done"},
                                      item_end,
                                      {"response.done"}}));
}

TEST_CASE("a beta client hears the ends of a cut answer by its own names",
          "[P8][P9][dialect][cut]") {
  Stage stage(with_reconnect(), false, &beta_dialect());
  stage.open();
  Provider provider(stage);
  provider.respond("r1");
  provider.item("r1", 0, message("a1"), nullptr);
  provider.in_part("response.output_audio_transcript.delta", "r1", 0, "a1", 0, {{"delta", "Good"}});
  const auto received = lose(stage);
  REQUIRE(types_of(received) == Types{"response.audio.done", "response.audio_transcript.done",
                                      "response.content_part.done", "response.output_item.done",
                                      "response.done"});
  CHECK(received[3]["item"]["object"] == "realtime.item");
  CHECK(received[3]["item"]["content"] == Json{{{"type", "audio"}, {"transcript", "Good"}}});
  CHECK(received[4]["response"]["modalities"] == Json{"text", "audio"});
  CHECK(received[4]["response"]["voice"] == "cedar");
}

TEST_CASE("a conversation that another process continues has no answer without an end",
          "[P8][handover][cut]") {
  SessionOptions options = with_reconnect();
  options.resume_window_ms = 30'000;
  Stage first(options);
  first.open();
  converse(first);
  first.session.suspend("restart", first.clock);
  Transcript folded;
  for (const auto& row : first.journal.rows) folded.apply(row.event, row.at);
  Stage second(options);
  second.session.take_up(std::move(folded),
                         SessionSettings::from_json(first.journal.handovers[0].settings_json),
                         second.clock);
  second.session.client_returned({}, second.clock);
  second.journal.sync();
  second.pass(100);
  const auto received = parsed(second.drain_client());
  CHECK(types_of(received) == Types{"session.created", "conversation.item.added",
                                    "conversation.item.done", "conversation.item.added",
                                    "conversation.item.done"});
  CHECK(received.back()["item"]["status"] == "incomplete");
  CHECK(received.back()["item"]["content"][0]["transcript"] == "Hello");
}

TEST_CASE("no event of the relay's own has an id that another process gave in this conversation",
          "[P8][P9][handover]") {
  SessionOptions options = with_reconnect();
  options.resume_window_ms = 30'000;
  std::set<std::string> ids;
  std::size_t count = 0;
  Stage first(options);
  first.open();
  converse(first);
  const auto come_back = [&](Stage& stage) {
    stage.session.client_returned({}, stage.clock);
    stage.journal.sync();
    stage.pass(100);
    for (const Json& event : parsed(stage.drain_client())) {
      ids.insert(event["event_id"].get<std::string>());
      ++count;
    }
  };
  for (int i = 0; i < 3; ++i) come_back(first);
  first.session.suspend("restart", first.clock);
  Transcript folded;
  for (const auto& row : first.journal.rows) folded.apply(row.event, row.at);
  Stage second(options);
  second.session.take_up(std::move(folded),
                         SessionSettings::from_json(first.journal.handovers[0].settings_json),
                         second.clock);
  for (int i = 0; i < 3; ++i) come_back(second);
  CHECK(count > 20);
  CHECK(ids.size() == count);
}
