// The messages for webhooks: when they are written, delivered and deleted.
#include "storage/rows/webhook_outbox.hpp"

#include <catch2/catch.hpp>

#include "storage/journal/segment.hpp"
#include "storage/maintenance/recovery.hpp"
#include "storage/rows/copies.hpp"
#include "storage/rows/row_writer.hpp"
#include "storage/rows/transcript_store.hpp"
#include "storage/sqlite/database.hpp"
#include "tests/support/journal_driver.hpp"
#include "tests/support/temp_dir.hpp"

using namespace verbatim;
using namespace verbatim::test;
using storage::Database;
using storage::DeliveryState;
using storage::MessageKind;

namespace {

namespace fs = std::filesystem;

const storage::AttemptSpec spec{.session_id = "s1", .user = "ann", .model = "m", .now = 1};
const std::vector<std::string> crm{"crm"};

session::Ending ending() {
  session::Ending made;
  made.reason = session::CloseReason::client_closed;
  made.ended_at = 9;
  made.transcript.turns = {turn(1, "i1", "Good morning")};
  return made;
}

/// A file in which every kind of message is wanted.
struct Announcing {
  TempDir dir;
  fs::path file = dir / "v.db";
  Database database{file, {.access = storage::Access::create}};
  explicit Announcing(unsigned kinds = ~0u) { storage::want_messages(database, kinds); }

  session::AttemptId begin() { return storage::insert_attempt(database, spec, 1).attempt; }
  std::vector<std::string> announced() const { return announced_in(file); }

  static std::vector<std::string> announced_in(const fs::path& file) {
    Database database(file, {.access = storage::Access::read_only});
    std::vector<std::string> kinds;
    Query rows = database.query("SELECT kind FROM message ORDER BY id");
    while (rows.step()) kinds.emplace_back(to_string(static_cast<MessageKind>(rows.integer(0))));
    return kinds;
  }
  void tried(MessageKind kind, const std::string& target) {
    Query row = database.query("SELECT id FROM message WHERE kind = ?");
    REQUIRE(row.bind(static_cast<int>(kind)).step());
    storage::begin_try(database, row.integer(0), target);
  }
  std::int64_t deliveries() {
    Query count = database.query("SELECT count(*) FROM delivery");
    return count.step() ? count.integer(0) : -1;
  }
  using Query = storage::Query;
};

using Kinds = std::vector<std::string>;

}  // namespace

TEST_CASE("a message exists exactly if the change that it reports is committed",
          "[P1][P2][outbox]") {
  Announcing it;
  const auto attempt = it.begin();
  CHECK(it.announced() == Kinds{"session.started"});
  {
    storage::Transaction undone(it.database);
    storage::finalise_attempt(it.database, attempt, ending());
  }
  CHECK(it.announced() == Kinds{"session.started"});
  {
    storage::Transaction kept(it.database);
    storage::finalise_attempt(it.database, attempt, ending());
    CHECK(it.announced() == Kinds{"session.started"});  // others see it after the commit
    kept.commit();
  }
  CHECK(it.announced() == Kinds{"session.started", "turn.completed", "session.ended"});
  storage::finalise_attempt(it.database, attempt, ending());
  CHECK(it.announced() == Kinds{"session.started", "turn.completed", "session.ended"});
}

TEST_CASE("messages that no webhook wants are not written", "[P11][outbox]") {
  Announcing it(0);
  storage::finalise_attempt(it.database, it.begin(), ending());
  CHECK(it.announced().empty());
  storage::want_messages(it.database, 1u << static_cast<unsigned>(MessageKind::session_started));
  storage::AttemptSpec other = spec;
  other.session_id = "s2";
  storage::finalise_attempt(it.database, storage::insert_attempt(it.database, other, 2).attempt,
                            ending());
  CHECK(it.announced() == Kinds{"session.started"});
}

TEST_CASE("a turn is announced once, when it is completed", "[outbox]") {
  Announcing it;
  const auto attempt = it.begin();
  storage::upsert_turn(it.database, attempt,
                       turn(1, "i1", "Good", session::TurnStatus::in_progress));
  CHECK(it.announced() == Kinds{"session.started"});
  storage::upsert_turn(it.database, attempt, turn(1, "i1", "Good morning"));
  CHECK(it.announced() == Kinds{"session.started", "turn.completed"});
  // Also if that message was delivered and deleted since.
  const auto message = storage::next_message(it.database, "crm", 1);
  REQUIRE(message);
  CHECK(message->item_id == "i1");
  storage::record_delivery(it.database, message->id, "crm", DeliveryState::delivered, 0, "", crm);
  storage::finalise_attempt(it.database, attempt, ending());
  CHECK(it.announced() == Kinds{"session.started", "session.ended"});
}

TEST_CASE("recovery announces once an end that a crash left unannounced", "[P2][P7][outbox]") {
  const TempDir dir;
  {
    JournalWatch watch;
    storage::SqliteJournal journal({.file = dir / "live.db"}, watch);
    REQUIRE_FALSE(execute(journal, [](Database& file) { storage::want_messages(file, ~0u); }));
    const auto attempt = open_attempt(journal, spec).attempt.attempt;
    REQUIRE(watch.wait_durable(journal.append(attempt, 2, placed("i1", session::Role::assistant))));
    fs::copy_file(dir / "live.db", dir / "v.db");
    fs::copy_file((dir / "live.db").string() + "-wal", (dir / "v.db").string() + "-wal");
  }
  CHECK(Announcing::announced_in(dir / "v.db") == Kinds{"session.started"});
  CHECK(storage::recover(dir / "v.db", 5).attempts.size() == 1);
  CHECK(Announcing::announced_in(dir / "v.db") == Kinds{"session.started", "session.ended"});
  CHECK(storage::recover(dir / "v.db", 6).attempts.empty());
  CHECK(Announcing::announced_in(dir / "v.db") == Kinds{"session.started", "session.ended"});
}

TEST_CASE("the turns and ends of a merged segment are announced once", "[P2][P6][outbox]") {
  Announcing it;
  const auto attempt = it.begin();
  const fs::path segment = it.dir / "segment.db";
  {
    const auto away = storage::begin_segment(segment, storage::Durability::power,
                                             storage::live_attempts(it.database));
    storage::upsert_turn(*away, attempt, turn(1, "i1", "Good morning"));
    storage::finalise_attempt(*away, attempt, ending());
  }
  fs::copy_file(segment, it.dir / "again.db");
  storage::merge_segment(it.database, segment);
  const Kinds all{"session.started", "turn.completed", "session.ended"};
  CHECK(it.announced() == all);
  storage::merge_segment(it.database, it.dir / "again.db");
  CHECK(it.announced() == all);
}

TEST_CASE("a changed transcript is announced only after the message of its end was tried",
          "[P3][outbox]") {
  Announcing it;
  const auto attempt = it.begin();
  storage::finalise_attempt(it.database, attempt, ending());
  const auto change = [&] {
    storage::announce(it.database, MessageKind::transcript_updated, attempt, 10);
    return it.announced().back();
  };
  CHECK(change() == "session.ended");
  // A target that does not want the end has not received it.
  const auto started = storage::next_message(it.database, "other", 0);
  storage::record_delivery(it.database, started->id + 2, "other", DeliveryState::delivered, 0, "",
                           {"crm", "other"});
  CHECK(change() == "session.ended");
  it.tried(MessageKind::session_ended, "crm");
  CHECK(change() == "transcript.updated");
}

TEST_CASE("a target gets messages in order, each until it has it or is given up for", "[outbox]") {
  Announcing it(0b11);
  storage::finalise_attempt(it.database, it.begin(), ending());
  const auto next = [&](std::int64_t after = 0) {
    return storage::next_message(it.database, "crm", after);
  };
  const auto first = next();
  REQUIRE(first);
  CHECK(first->kind == MessageKind::session_started);
  CHECK(first->public_id.starts_with("msg_"));
  storage::begin_try(it.database, first->id, "crm");
  storage::record_delivery(it.database, first->id, "crm", DeliveryState::waiting, 50, "no", crm);
  // Also for a process that restarts without any knowledge.
  for (const std::int64_t after : {std::int64_t{0}, first->id}) {
    const auto again = next(after);
    REQUIRE(again);
    CHECK(again->public_id == first->public_id);
    CHECK(again->tries == 1);
    CHECK(again->due_at == 50);
    CHECK(again->last_error == "no");
  }
  storage::record_delivery(it.database, first->id, "crm", DeliveryState::dead, 0, "no", crm);
  const auto second = next(first->id);
  REQUIRE(second);
  CHECK(second->kind == MessageKind::session_ended);
  storage::record_delivery(it.database, second->id, "crm", DeliveryState::delivered, 0, "", crm);
  CHECK_FALSE(next(second->id));
  CHECK_FALSE(next(storage::newest_message(it.database)));

  CHECK(storage::undelivered(it.database, true).size() == 1);
  CHECK(storage::redrive(it.database, second->public_id) == 0);
  CHECK(storage::redrive(it.database, first->public_id) == 1);
  const auto driven = next(storage::newest_message(it.database));
  REQUIRE(driven);
  CHECK(driven->public_id == first->public_id);
  CHECK(driven->tries == 0);
}

TEST_CASE("a message stays until all current targets have it", "[P1][outbox]") {
  Announcing it(0b01);
  it.begin();
  const auto message = storage::next_message(it.database, "a", 0);
  REQUIRE(message);
  const auto deliver = [&](const char* target, const std::vector<std::string>& targets) {
    storage::record_delivery(it.database, message->id, target, DeliveryState::delivered, 0, "",
                             targets);
    return it.announced().size();
  };
  CHECK(deliver("gone", {"gone", "a"}) == 1);
  CHECK(deliver("a", {"a", "new"}) == 1);
  CHECK(storage::next_message(it.database, "new", 0));
  CHECK(deliver("new", {"a", "new"}) == 0);
  // Its number is not reused: a target that looks only beyond it would miss the next one.
  storage::AttemptSpec other = spec;
  other.session_id = "s2";
  storage::insert_attempt(it.database, other, 2);
  CHECK(storage::next_message(it.database, "a", message->id));
}

TEST_CASE("a target's backlog counts only messages that it wants", "[P11][outbox]") {
  Announcing it(0b11);
  storage::finalise_attempt(it.database, it.begin(), ending());
  const auto count = [&](unsigned wanted) {
    const auto found = storage::backlog(it.database, "crm", 0, wanted);
    return std::vector<std::int64_t>{found.waiting, found.dead, found.oldest.value_or(-1)};
  };
  CHECK(count(0b11) == std::vector<std::int64_t>{2, 0, 1});
  CHECK(count(0b10) == std::vector<std::int64_t>{1, 0, 9});
  const auto first = storage::next_message(it.database, "crm", 0);
  storage::record_delivery(it.database, first->id, "crm", DeliveryState::waiting, 0, "", crm);
  CHECK(count(0b11) == std::vector<std::int64_t>{2, 0, 1});
  storage::record_delivery(it.database, first->id, "crm", DeliveryState::dead, 0, "", crm);
  CHECK(count(0b11) == std::vector<std::int64_t>{1, 1, 9});
}

TEST_CASE("nothing of an erased session stays in the outbox", "[P10][outbox]") {
  Announcing it;
  storage::finalise_attempt(it.database, it.begin(), ending());
  const auto first = storage::next_message(it.database, "crm", 0);
  it.tried(MessageKind::session_ended, "crm");
  REQUIRE(storage::erase_session(it.database, "s1"));
  CHECK(it.announced().empty());
  CHECK(it.deliveries() == 0);
  // A late answer or try brings nothing back.
  storage::begin_try(it.database, first->id, "crm");
  storage::record_delivery(it.database, first->id, "crm", DeliveryState::dead, 0, "late", crm);
  CHECK(it.deliveries() == 0);
}
