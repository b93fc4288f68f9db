// Live states of conversations for subscribers: the first state, the changes, resumed subscriptions
// and ends.
#include "storage/rows/live_tail.hpp"

#include <catch2/catch.hpp>
#include <random>

#include "storage/rows/event_codec.hpp"
#include "storage/rows/row_writer.hpp"
#include "storage/rows/transcript_store.hpp"
#include "storage/sqlite/database.hpp"
#include "tests/support/journal_driver.hpp"
#include "tests/support/rounds.hpp"
#include "tests/support/temp_dir.hpp"

using namespace verbatim;
using namespace verbatim::test;
using rows::LiveTail;
using sqlite::Database;
using store::TailKey;
using store::TailMark;
using store::TailState;
using transcript::SessionStatus;

namespace {

const TailKey key{"s1", 1};

/// A database that a test writes row by row, and the reads of the API.
struct Talk {
  TempDir dir;
  Database database{dir / "v.db", {.access = sqlite::Access::create}};
  rows::TranscriptStore store{dir / "v.db"};
  transcript::Sequence sequence = 0;
  transcript::AttemptId attempt = 0;
  transcript::Transcript heard;

  void open() {
    attempt = rows::insert_attempt(
                  database, {.session_id = "s1", .user = "ann", .model = "m", .now = 1}, ++sequence)
                  .attempt;
  }
  void say(const transcript::Event& event) {
    // Other conversations take sequence numbers too.
    sequence += 3;
    rows::insert_event(database, sequence, attempt, static_cast<TimeMs>(sequence),
                       rows::encode_event(event));
    heard.apply(event, static_cast<TimeMs>(sequence));
  }
  void post(const std::string& writer, std::vector<transcript::CopyTurn> turns) {
    rows::keep_copy(database, {.session_id = "s1", .copy = {writer, std::move(turns)}, .now = 5});
  }
  void end() {
    const auto at = static_cast<TimeMs>(++sequence);
    rows::finalise_attempt(database, attempt,
                           {transcript::CloseReason::client_lost, at, finalise(heard, at)});
    rows::delete_events_before(database, sequence);
  }
  std::shared_ptr<const TailState> look(LiveTail& tail, std::uint64_t seen = 0) {
    return tail.look(database, {{key, seen}}).front().second;
  }
  std::vector<std::string> turns() {
    std::vector<std::string> shown;
    const auto view = store.transcript("s1");
    for (const auto& turn : view->turns) shown.push_back(transcript::render_turn(turn));
    return shown;
  }
};

/// Handles events as a web page does.
struct Page {
  std::vector<std::string> turns;
  std::optional<TailMark> mark;
  std::shared_ptr<const TailState> shown;
  std::size_t received = 0;

  /// Applies all of it; or, when the connection breaks, its first `limit` turns.
  void take(const std::shared_ptr<const TailState>& state, std::size_t limit = SIZE_MAX) {
    const std::uint64_t seen = mark && !mark->final ? mark->number : 0;
    auto fresh = store::unseen(state->turns, shown.get(), seen);
    const bool whole = fresh.size() <= limit;
    fresh.resize(std::min(fresh.size(), limit));
    for (const auto& turn : fresh) {
      const auto at = static_cast<std::size_t>(turn->value.ordinal);
      if (turns.size() < at) turns.resize(at);
      turns[at - 1] = turn->json;
    }
    received += fresh.size();
    if (!whole) return;
    if (turns.size() > state->turns.size()) turns.resize(state->turns.size());
    mark = state->mark;
    shown = state;
  }
  void reconnect() { shown = nullptr; }
};

transcript::CopyTurn posted(int ordinal, const std::string& text) {
  transcript::CopyTurn turn;
  turn.ordinal = ordinal;
  turn.role = transcript::Role::assistant;
  turn.text = Text::from_wtf8(text);
  return turn;
}

transcript::Event random_event(std::mt19937& random) {
  const auto below = [&](unsigned end) { return random() % end; };
  const auto id = [&] { return "i" + std::to_string(below(7)); };
  const auto role = below(2) ? transcript::Role::user : transcript::Role::assistant;
  switch (below(9)) {
    case 0:
    case 1: {
      transcript::ItemPlaced place;
      place.item.id = id();
      place.item.role = role;
      place.place = static_cast<transcript::Position>(below(3));
      place.previous = id();
      place.committed = below(3) == 0;
      return {"", place};
    }
    case 2:
      return {"", transcript::ItemDeleted{id()}};
    case 3: {
      transcript::TextDone done;
      done.item_id = id();
      done.transcription = below(2) == 0;
      done.text = Text::from_wtf8("all of it " + std::to_string(below(5)));
      return {"", done};
    }
    case 4:
      return {"", transcript::TranscriptionFailed{id(), 0, "noise"}};
    case 5:
      return {"", transcript::ItemTruncated{id(), 0, 100, 200}};
    default: {
      transcript::TextDelta more;
      more.item_id = id();
      more.transcription = below(3) == 0;
      more.text = Text::from_wtf8("word" + std::to_string(below(5)) + " ");
      return {"", more};
    }
  }
}

}  // namespace

TEST_CASE("marks are parsed as they are written, and other text is refused", "[tail]") {
  for (const TailMark mark :
       {TailMark{1, false, 0}, TailMark{3, false, 1207}, TailMark{2, true, 9}})
    CHECK(store::tail_mark_from_string(store::to_string(mark)) == mark);
  for (const char* other :
       {"", "1", "1.", ".1", "0.1", "1.final", "1.final.", "1.2.3", "1.x", "-1.2",
        "1.18446744073709551616", "1.18446744073709551615", "1 .2", "1.2 "})
    CHECK_FALSE(store::tail_mark_from_string(other));
}

TEST_CASE("a subscriber gets the words as they come, and only the changes", "[P1][tail]") {
  Talk talk;
  LiveTail tail;
  rows::create_session(talk.database, {.id = "s1", .user = "ann", .now = 1});
  const auto before = talk.look(tail);
  CHECK(before->head.status == SessionStatus::created);
  talk.open();
  talk.say(placed("i1", transcript::Role::assistant));
  talk.say(delta("i1", "One "));
  const auto first = talk.look(tail);
  CHECK(first->head.status == SessionStatus::live);
  REQUIRE(first->turns.size() == 1);
  CHECK(first->turns[0]->value.text.utf8() == "One ");
  CHECK(talk.look(tail) == first);

  talk.say(placed("i2", transcript::Role::assistant));
  talk.say(delta("i2", "Two"));
  const auto second = talk.look(tail);
  CHECK(second->turns[0] == first->turns[0]);  // the same object, so it is not sent again
  REQUIRE(store::unseen(second->turns, first.get(), 0).size() == 1);
  CHECK(store::unseen(second->turns, first.get(), 0)[0]->value.text.utf8() == "Two");

  talk.end();
  const auto end = talk.look(tail);
  CHECK(end->head.status == SessionStatus::final);
  CHECK(end->head.close_reason == transcript::CloseReason::client_lost);
  CHECK(end->head.receipt == talk.store.transcript("s1")->receipt);
  CHECK(end->mark == TailMark{1, true, 0});
  CHECK(end->turns[1]->value.status == transcript::TurnStatus::interrupted);
}

TEST_CASE("a resumed subscription gets the changes since its mark, and nothing else", "[tail]") {
  Talk talk;
  talk.open();
  for (const char* id : {"i1", "i2", "i3"}) talk.say(placed(id, transcript::Role::assistant));
  talk.say(delta("i1", "One"));
  LiveTail first;
  const auto mark = talk.look(first)->mark;
  talk.say(delta("i3", "Three"));
  for (int fresh = 0; fresh < 2; ++fresh) {
    LiveTail other;
    const auto state = talk.look(fresh ? other : first, mark.number);
    const auto turns = store::unseen(state->turns, nullptr, mark.number);
    REQUIRE(turns.size() == 1);
    CHECK(turns[0]->value.item_id == "i3");
  }
}

TEST_CASE("after the end a resumed subscription gets the changes that copies made since",
          "[P3][tail]") {
  Talk talk;
  talk.open();
  talk.say(placed("i1", transcript::Role::assistant));
  talk.say(delta("i1", "One two three"));
  talk.end();
  const auto ask = [&](const char* seen) {
    return rows::start_tail(talk.database, "s1", std::nullopt, store::tail_mark_from_string(seen));
  };
  auto start = ask("");
  REQUIRE(start->ended);
  CHECK(store::unseen(start->ended->turns, nullptr, 0).size() == 1);
  const std::string seen = store::to_string(start->ended->mark);
  CHECK(ask(seen.c_str())->nothing_new);
  CHECK(store::unseen(ask("1.2")->ended->turns, nullptr, 0).size() == 1);

  talk.post("agent", {posted(1, "One two three"), posted(2, "And four")});
  start = ask(seen.c_str());
  CHECK_FALSE(start->nothing_new);
  CHECK(store::unseen(start->ended->turns, nullptr, 0).size() ==
        2);  // the first turn has one more writer
  const std::string then = store::to_string(start->ended->mark);
  talk.post("client", {posted(2, "And four, and five")});
  start = ask(then.c_str());
  const auto turns = store::unseen(start->ended->turns, nullptr, 0);
  REQUIRE(turns.size() == 1);
  CHECK(turns[0]->value.text.utf8() == "And four, and five");

  CHECK_FALSE(rows::start_tail(talk.database, "s1", 2, std::nullopt));
  CHECK_FALSE(rows::start_tail(talk.database, "s2", std::nullopt, std::nullopt));
}

TEST_CASE("a subscriber that missed the end of an attempt gets it before the next attempt",
          "[tail]") {
  Talk talk;
  talk.open();
  talk.say(placed("i1", transcript::Role::assistant));
  talk.end();
  talk.heard = transcript::Transcript();
  talk.open();
  const auto ask = [&](std::optional<int> attempt, const TailMark& seen) {
    return rows::start_tail(talk.database, "s1", attempt, seen);
  };
  auto start = ask(std::nullopt, {1, false, 3});
  CHECK(start->key.attempt == 2);
  CHECK_FALSE(start->ended);
  REQUIRE(start->before);
  CHECK(start->before->head.attempt == 1);
  CHECK_FALSE(ask(std::nullopt, {1, true, 0})->before);  // the subscriber has seen that end
  CHECK_FALSE(ask(2, {1, false, 3})->before);            // only attempt 2 was asked for
  CHECK(ask(1, {1, true, 0})->nothing_new);
}

TEST_CASE(
    "an attempt whose copies take long to merge moves to the slow lane, which continues from its "
    "last state",
    "[P3][P11][tail]") {
  Talk talk;
  talk.open();
  LiveTail quick(store::MergeLane::quick);
  LiveTail slow;
  const auto said = [](int from, int count) {
    std::vector<transcript::CopyTurn> turns;
    for (int i = from; i < from + count; ++i) {
      transcript::CopyTurn turn;
      turn.role = i % 2 ? transcript::Role::user : transcript::Role::assistant;
      turn.text = Text::from_wtf8("this is turn " + std::to_string(i));
      turn.ordinal = i;
      turns.push_back(turn);
    }
    return turns;
  };
  Page page;
  talk.post("agent", said(1, 3));
  page.take(talk.look(quick));
  CHECK(page.turns == talk.turns());
  CHECK(quick.take_slow().empty());

  talk.post("agent", said(1, 1'400));
  CHECK(quick.look(talk.database, {{key, 0}}).empty());
  CHECK(quick.take_slow() == std::vector{key});
  const auto states = slow.look(talk.database, {{key, 0, page.shown}});
  REQUIRE(states.size() == 1);
  CHECK(states[0].second->generation > page.shown->generation);
  page.received = 0;
  page.take(states[0].second);
  CHECK(page.turns == talk.turns());
  CHECK(page.received < 1'400);  // entries that it had are not sent again
  // A tail that begins with this attempt leaves it out at once.
  LiveTail fresh(store::MergeLane::quick);
  CHECK(fresh.look(talk.database, {{key, 0}}).empty());
  CHECK(fresh.take_slow() == std::vector{key});
  talk.end();
  page.take(slow.look(talk.database, {{key, 0}}).front().second);
  CHECK(page.turns == talk.turns());
}

TEST_CASE("an erased session is gone for its subscribers too", "[P10][tail]") {
  Talk talk;
  talk.open();
  LiveTail tail;
  CHECK_FALSE(talk.look(tail)->gone);
  rows::erase_session(talk.database, "s1");
  CHECK(talk.look(tail)->gone);
}

TEST_CASE(
    "every page ends up with the transcript, after any mixture of words, posts, losses and resumes",
    "[P3][P4][tail]") {
  for (unsigned seed = 0; seed < rounds(150); ++seed) {
    CAPTURE(seed);
    std::mt19937 random(seed);
    const auto chance = [&](unsigned percent) { return random() % 100 < percent; };
    const bool with_copies = seed % 3 == 0;
    Talk talk;
    talk.open();
    LiveTail shared;
    std::vector<Page> pages(4);
    for (int step = 0; step < 30; ++step) {
      for (auto n = random() % 4; n > 0; --n) talk.say(random_event(random));
      if (with_copies && chance(15))
        talk.post(chance(50) ? "agent" : "client",
                  {posted(static_cast<int>(random() % 3) + 1, "all of it 1"),
                   posted(static_cast<int>(random() % 3) + 4, "word1 word2 word3")});
      for (Page& page : pages) {
        if (chance(40)) continue;  // a slow subscriber
        LiveTail restarted;
        const bool anew = chance(20);
        if (anew || chance(20)) page.reconnect();
        const auto state = talk.look(anew ? restarted : shared, page.mark ? page.mark->number : 0);
        if (anew) page.shown = nullptr;
        const bool breaks = chance(20);
        page.take(state, breaks ? random() % 3 : SIZE_MAX);
        if (anew || breaks) page.reconnect();  // the earlier process's state is gone
        if (page.mark == state->mark && !breaks) CHECK(page.turns == talk.turns());
      }
    }
    talk.end();
    for (Page& page : pages) {
      if (chance(50)) {
        page.take(talk.look(shared));
      } else {
        const auto start = rows::start_tail(talk.database, "s1", std::nullopt, page.mark);
        REQUIRE(start->ended);
        page.reconnect();
        page.mark.reset();
        page.take(start->ended);
      }
      REQUIRE(page.turns == talk.turns());
    }
  }
}
