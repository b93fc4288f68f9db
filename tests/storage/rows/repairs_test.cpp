// Attempts whose speech may be transcribed again, and the tries.
#include "storage/rows/repairs.hpp"

#include <catch2/catch.hpp>
#include <string>
#include <vector>

#include "storage/rows/transcript_store.hpp"
#include "storage/sqlite/database.hpp"
#include "tests/support/journal_driver.hpp"
#include "tests/support/temp_dir.hpp"

using namespace verbatim;
using namespace verbatim::test;
using journal::SqliteJournal;
using sqlite::Database;
using transcript::AudioPlaced;
using transcript::AudioTrack;
using transcript::TurnStatus;

namespace {

transcript::Turn user_turn(int ordinal, const char* item, TurnStatus status, const char* words) {
  transcript::Turn made;
  made.ordinal = ordinal;
  made.item_id = item;
  made.role = transcript::Role::user;
  made.status = status;
  made.text = Text::from_wtf8(words);
  return made;
}

/// A store with conversations of three turns.
struct StoreWithRepairs {
  TempDir dir;
  JournalWatch watch;
  SqliteJournal journal{{.file = dir / "v.db"}, watch};

  transcript::AttemptId begin(const std::string& session, bool recorded = true) {
    const store::AttemptSpec spec{
        .session_id = session, .user = "ann", .metadata = "{}", .model = "m", .now = 1000};
    const auto attempt = open_attempt(journal, spec).attempt.attempt;
    if (recorded) {
      journal.append(attempt, 1001, {"", AudioPlaced{AudioTrack::user, {}, 0, -1, 0, {}}});
      journal.append(attempt, 1002, {"", AudioPlaced{AudioTrack::user, "u2", 4800, 48000, -1, {}}});
    }
    return attempt;
  }
  void end(transcript::AttemptId attempt, TurnStatus second, const char* words,
           const char* usage = "[]") {
    transcript::Ending ending{transcript::CloseReason::client_closed, 2000, {}};
    ending.transcript.turns = {user_turn(1, "u1", TurnStatus::completed, "One"),
                               user_turn(2, "u2", second, words),
                               user_turn(3, "u3", TurnStatus::completed, "Three")};
    if (second == TurnStatus::failed)
      ending.transcript.gaps = {{"u2", transcript::GapKind::failed_transcription}};
    ending.transcript.usage_json = usage;
    REQUIRE(watch.wait_durable(journal.close(attempt, ending)));
  }
  void add(const std::string& session, TurnStatus second, const char* words = "") {
    end(begin(session), second, words);
  }
  store::RepairPage find(store::RepairCursor since = {}, std::size_t limit = 100) {
    Database beside(dir / "v.db");
    return rows::find_repairable(beside, since, limit);
  }
  store::RepairRecord record(const std::string& session) {
    Database beside(dir / "v.db");
    return rows::read_repair(beside, {session, 1});
  }
  template <class Work>
  std::optional<store::StorageError> change(Work work) {
    return execute(journal, work);
  }
};

std::vector<std::string> sessions(const store::RepairPage& page) {
  std::vector<std::string> ids;
  for (const auto& one : page.attempts) ids.push_back(one.session_id);
  return ids;
}
using Ids = std::vector<std::string>;

store::PostedCopy repaired(const std::string& session, const char* item) {
  store::PostedCopy posted;
  posted.session_id = session;
  posted.attempt = 1;
  posted.now = 3000;
  transcript::CopyTurn turn;
  turn.item_id = item;
  turn.role = transcript::Role::user;
  turn.text = Text::from_wtf8("Two");
  posted.copy = {transcript::repair_writer, {turn}};
  return posted;
}

}  // namespace

TEST_CASE("final attempts whose recorded user turns lack text are found", "[P15][repair]") {
  StoreWithRepairs it;
  it.add("failed", TurnStatus::failed);
  it.add("whole", TurnStatus::completed, "Two");
  it.add("empty", TurnStatus::completed);
  it.end(it.begin("silent", false), TurnStatus::failed, "");  // nothing was recorded
  it.begin("live");
  const auto page = it.find();
  CHECK(sessions(page) == Ids{"failed", "empty"});
  CHECK(page.attempts.front().number == 1);
  CHECK_FALSE(page.more);
  CHECK(sessions(it.find(page.next)).empty());
}

TEST_CASE("the search goes on where it ended, however few it looks at", "[P15][repair]") {
  StoreWithRepairs it;
  for (const char* id : {"a", "b", "c", "d", "e"}) it.add(id, TurnStatus::failed);
  Ids found;
  store::RepairCursor since;
  for (bool more = true; more;) {
    const auto page = it.find(since, 2);
    for (const auto& id : sessions(page)) found.push_back(id);
    since = page.next;
    more = page.more;
  }
  CHECK(found == Ids{"a", "b", "c", "d", "e"});
  it.add("f", TurnStatus::failed);
  CHECK(sessions(it.find(since, 2)) == Ids{"f"});
}

TEST_CASE("tries of an utterance and their audio are counted until they are forgotten",
          "[P15][repair]") {
  StoreWithRepairs it;
  it.add("s", TurnStatus::failed);
  const auto note = [&](bool another) {
    return it.change([another](Database& database) {
      rows::note_repair_try(database, {{"s", 1}, "u2", 900, another});
    });
  };
  CHECK(it.record("s").tries.empty());
  REQUIRE_FALSE(note(true));
  REQUIRE_FALSE(note(false));  // a second engine
  REQUIRE_FALSE(note(true));
  const auto tries = it.record("s").tries;
  REQUIRE(tries.size() == 1);
  CHECK(tries[0].item_id == "u2");
  CHECK(tries[0].tries == 2);
  CHECK(tries[0].audio_ms == 2700);
  REQUIRE_FALSE(it.change([](Database& database) {
    rows::forget_repair_tries(database, {"s", 1});
  }));
  CHECK(it.record("s").tries.empty());
}

TEST_CASE("the language that the session set is known after its end", "[P15][repair]") {
  StoreWithRepairs it;
  it.end(it.begin("s"), TurnStatus::failed, "", R"([{"verbatim_language":{"code":"de"}}])");
  CHECK(it.record("s").language == "de");
  CHECK(it.record("unknown").language.empty());
}

TEST_CASE("a repair gets the place of its turn, and fills it", "[P3][P15][repair]") {
  StoreWithRepairs it;
  it.add("s", TurnStatus::failed);
  REQUIRE_FALSE(it.change([](Database& database) {
    rows::note_repair_try(database, {{"s", 1}, "u2", 900, true});
    CHECK(rows::keep_repair(database, repaired("s", "u2")).is_new);
  }));
  const auto view = rows::TranscriptStore(it.dir / "v.db").transcript("s");
  REQUIRE(view);
  REQUIRE(view->turns.size() == 3);
  CHECK(view->turns[1].text.utf8() == "Two");
  CHECK(view->turns[1].status == TurnStatus::completed);
  CHECK(view->gaps.empty());
  CHECK(view->complete);
  CHECK(view->receipt->repaired == 1);
  CHECK(it.find().attempts.size() == 1);  // the relay's own turn still lacks it
}

TEST_CASE("an answer for an erased session is thrown away, also if its name is used again",
          "[P10][P15][repair][erase]") {
  StoreWithRepairs it;
  it.add("s", TurnStatus::failed);
  REQUIRE_FALSE(it.change([](Database& database) {
    rows::note_repair_try(database, {{"s", 1}, "u2", 900, true});
    rows::erase_session(database, "s");
    sqlite::Query left = database.query("SELECT count(*) FROM repair");
    REQUIRE(left.step());
    CHECK(left.integer(0) == 0);
  }));
  const auto keep = [&] {
    return it.change([](Database& database) { rows::keep_repair(database, repaired("s", "u2")); });
  };
  const auto gone = keep();
  REQUIRE(gone);
  CHECK(gone->failure() == store::Failure::not_found);
  it.add("s", TurnStatus::failed);
  const auto another = keep();
  REQUIRE(another);
  CHECK(another->failure() == store::Failure::not_found);
  CHECK(it.change([](Database& database) {
    rows::note_repair_try(database, {{"other", 1}, "u2", 900, true});
  }));
}
