// The upstream connection is replaced before it reaches the provider's limit (P8).
#include "tests/session/rebuild.hpp"

using namespace verbatim;
using namespace verbatim::session;
using namespace verbatim::session::test;
using namespace verbatim::transcript;

namespace {

SessionOptions with_rotation() {
  SessionOptions options = with_reconnect();
  options.rotate_after_ms = 55 * 60'000;
  options.max_duration_ms = 10 * 3'600'000;
  options.idle_timeout_ms = 10 * 3'600'000;
  return options;
}

}  // namespace

TEST_CASE("before the provider's limit another connection is made ready, then the old one let go",
          "[P8][rotation]") {
  Stage stage(with_rotation());
  stage.open();
  converse(stage);
  finish_answer(stage);
  const UpstreamId old = stage.upstream;
  const std::int64_t due = stage.session.next_deadline_ms();
  CHECK(due == stage.clock.mono_ms + 55 * 60'000);
  stage.pass(55 * 60'000 - 1);
  CHECK_FALSE(stage.session.take_dial(stage.clock));
  stage.pass(1);
  stage.session.upstream_opened(stage.dial(), stage.clock);
  stage.provider(created("sess_2"));
  CHECK(stage.session.outbox_of(old) != nullptr);  // the old one is still open
  accept_rebuild(stage);
  CHECK(stage.session.outbox_of(old) == nullptr);
  CHECK(stage.session.counts().rotated == 1);
  stage.journal.sync();
  CHECK(stage.drain_client().empty());
  // From now on, messages of the old connection are ignored.
  stage.said_by(old, first_delta);
  CHECK(stage.drain_client().empty());
}

TEST_CASE("no connection is replaced during speech or an answer", "[P8][rotation]") {
  Stage stage(with_rotation());
  stage.open();
  converse(stage);
  stage.pass(56 * 60'000);
  CHECK_FALSE(stage.session.take_dial(stage.clock));
  CHECK(stage.session.next_deadline_ms() > stage.clock.mono_ms);  // no busy loop
  finish_answer(stage);
  stage.provider(speech_started);
  CHECK_FALSE(stage.session.take_dial(stage.clock));
  stage.provider(speech_committed);
  CHECK_FALSE(stage.session.take_dial(stage.clock));  // its text is still to come
  stage.provider(transcribed);
  CHECK(stage.session.take_dial(stage.clock));
}

TEST_CASE("items made while the next connection is prepared are sent to it as well",
          "[P8][rotation]") {
  Stage stage(with_rotation());
  stage.open();
  converse(stage);
  finish_answer(stage);
  const UpstreamId old = stage.upstream;
  stage.pass(56 * 60'000);
  stage.session.upstream_opened(stage.dial(), stage.clock);
  const UpstreamId next = stage.upstream;
  stage.provider(created("sess_2"));
  stage.said_by(old, added(typed_message("u1", "One more."), "a1", "m1"));
  stage.journal.sync();
  accept_rebuild(stage);
  CHECK(stage.session.outbox_of(old) != nullptr);
  stage.upstream = next;
  const auto late = stage.drain_upstream();
  REQUIRE(late.size() == 1);
  CHECK(Json::parse(late[0])["item"]["id"] == "u1");
  stage.provider(added(Json::parse(late[0])["item"], nullptr, "echo_late"));
  CHECK(stage.session.outbox_of(old) == nullptr);
}

TEST_CASE("a rotation that fails is tried again, and the conversation stays where it is",
          "[P8][rotation]") {
  Stage stage(with_rotation());
  stage.open();
  stage.pass(56 * 60'000);
  const UpstreamId old = stage.upstream;
  stage.session.upstream_unavailable(stage.dial(), CloseReason::upstream_lost, "no", stage.clock);
  CHECK_FALSE(stage.session.ended());
  CHECK(stage.session.outbox_of(old) != nullptr);
  CHECK_FALSE(stage.session.take_dial(stage.clock));
  stage.pass(5000);
  CHECK(stage.session.take_dial(stage.clock));
}

TEST_CASE("the relay reconnects before the end that a provider announces", "[P8][rotation]") {
  Stage stage(with_rotation());
  stage.session.upstream_opened(stage.dial(), stage.clock);
  stage.provider(created("sess_1", (stage.clock.wall + 30 * 60'000) / 1000));
  stage.provider(updated_with_transcription);
  stage.pass(27 * 60'000);
  CHECK_FALSE(stage.session.take_dial(stage.clock));
  stage.pass(60'000);
  CHECK(stage.session.take_dial(stage.clock));
}

TEST_CASE("three hours with three rotations, and the client does not notice",
          "[P4][P8][rotation]") {
  Stage stage(with_rotation());
  stage.open();
  std::vector<std::string> said, heard;
  int turn = 0;
  std::string last;
  for (int minute = 0; minute < 180; ++minute) {
    stage.pass(60'000);
    if (const auto upstream = stage.session.take_dial(stage.clock)) {
      stage.upstream = *upstream;
      stage.session.upstream_opened(*upstream, stage.clock);
      stage.provider(created("sess_" + std::to_string(*upstream)));
      stage.journal.sync();
      accept_rebuild(stage);
    }
    const std::string id = "u" + std::to_string(++turn);
    said.push_back(added(typed_message(id, "Minute " + std::to_string(minute)),
                         last.empty() ? Json(nullptr) : Json(last), "e_" + id));
    last = id;
    stage.provider(said.back());
    stage.journal.sync();
    for (auto& message : stage.drain_client()) heard.push_back(std::move(message));
  }
  CHECK(stage.session.counts().rotated == 3);
  CHECK(heard == said);
  stage.session.end(CloseReason::client_ended, "", stage.clock);
  const auto& transcript = stage.journal.endings.front().transcript;
  REQUIRE(transcript.turns.size() == 180);
  for (int i = 0; i < 180; ++i)
    CHECK(transcript.turns[static_cast<std::size_t>(i)].text.utf8() ==
          "Minute " + std::to_string(i));
  CHECK(transcript.complete);
}
