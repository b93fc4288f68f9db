// The messages for webhooks: when they are written, delivered and deleted.
#include "storage/rows/webhook_outbox.hpp"

#include <catch2/catch.hpp>

#include "storage/journal/segment.hpp"
#include "storage/maintenance/recovery.hpp"
#include "storage/rows/copies.hpp"
#include "storage/rows/deliveries.hpp"
#include "storage/rows/row_writer.hpp"
#include "storage/rows/transcript_store.hpp"
#include "storage/sqlite/database.hpp"
#include "tests/support/journal_driver.hpp"
#include "tests/support/temp_dir.hpp"

using namespace verbatim;
using namespace verbatim::test;
using sqlite::Database;
using store::DeliveryState;
using store::WebhookKind;

namespace {

namespace fs = std::filesystem;

constexpr unsigned any_kind = ~0u;

store::DeliveryRecords records_for(std::vector<std::string> targets) {
  return {.targets = std::move(targets), .tries_max = 10};
}
const store::DeliveryRecords crm = records_for({"crm"});

/// The first message for the target that is ready, due or not.
std::optional<store::WebhookMessage> next_message(Database& database, const std::string& target,
                                                  std::int64_t after = 0) {
  auto due = rows::find_due(database, target, {.now = INT64_MAX / 2, .limit = 1});
  if (!due.empty()) return due.front();
  auto found = rows::find_new(database, target, {.after = after, .wanted = any_kind, .limit = 1});
  if (found.heads.empty()) return std::nullopt;
  return found.heads.front();
}

void record_try(Database& database, std::int64_t message, const std::string& target,
                DeliveryState state, TimeMs due_at, const std::string& error,
                const store::DeliveryRecords& records = crm) {
  rows::end_try(database, message, target, {.state = state, .due_at = due_at, .error = error},
                records);
}

transcript::Ending ending_with_turn() {
  transcript::Ending made;
  made.reason = transcript::CloseReason::client_closed;
  made.ended_at = 9;
  made.transcript.turns = {turn(1, "i1", "Good morning")};
  return made;
}

/// A file in which every kind of message is wanted.
struct Announcing {
  TempDir dir;
  fs::path file = dir / "v.db";
  Database database{file, {.access = sqlite::Access::create}};
  explicit Announcing(unsigned kinds = ~0u) { rows::want_messages(database, kinds); }

  transcript::AttemptId begin() { return rows::insert_attempt(database, usual_spec(), 1).attempt; }
  std::vector<std::string> announced() const { return announced_in(file); }

  static std::vector<std::string> announced_in(const fs::path& file) {
    Database database(file, {.access = sqlite::Access::read_only});
    std::vector<std::string> kinds;
    Query rows = database.query("SELECT kind FROM message ORDER BY id");
    while (rows.step()) kinds.emplace_back(to_string(static_cast<WebhookKind>(rows.integer(0))));
    return kinds;
  }
  void tried(WebhookKind kind, const std::string& target) {
    Query row = database.query("SELECT id FROM message WHERE kind = ?");
    REQUIRE(row.bind(static_cast<int>(kind)).step());
    rows::begin_try(database, row.integer(0), target);
  }
  std::int64_t deliveries() {
    Query count = database.query("SELECT count(*) FROM delivery");
    return count.step() ? count.integer(0) : -1;
  }
  using Query = sqlite::Query;
};

using Kinds = std::vector<std::string>;

}  // namespace

TEST_CASE("a message exists exactly if the change that it reports is committed",
          "[P1][P2][outbox]") {
  Announcing it;
  const auto attempt = it.begin();
  CHECK(it.announced() == Kinds{"session.started"});
  {
    sqlite::Transaction undone(it.database);
    rows::finalise_attempt(it.database, attempt, ending_with_turn());
  }
  CHECK(it.announced() == Kinds{"session.started"});
  {
    sqlite::Transaction kept(it.database);
    rows::finalise_attempt(it.database, attempt, ending_with_turn());
    CHECK(it.announced() == Kinds{"session.started"});  // others see it after the commit
    kept.commit();
  }
  CHECK(it.announced() == Kinds{"session.started", "turn.completed", "session.ended"});
  rows::finalise_attempt(it.database, attempt, ending_with_turn());
  CHECK(it.announced() == Kinds{"session.started", "turn.completed", "session.ended"});
}

TEST_CASE("messages that no webhook wants are not written", "[P11][outbox]") {
  Announcing it(0);
  rows::finalise_attempt(it.database, it.begin(), ending_with_turn());
  CHECK(it.announced().empty());
  rows::want_messages(it.database, 1u << static_cast<unsigned>(WebhookKind::session_started));
  store::AttemptSpec other = usual_spec();
  other.session_id = "s2";
  rows::finalise_attempt(it.database, rows::insert_attempt(it.database, other, 2).attempt,
                         ending_with_turn());
  CHECK(it.announced() == Kinds{"session.started"});
}

TEST_CASE("a turn is announced once, when it is completed", "[outbox]") {
  Announcing it;
  const auto attempt = it.begin();
  rows::upsert_turn(it.database, attempt,
                    turn(1, "i1", "Good", transcript::TurnStatus::in_progress));
  CHECK(it.announced() == Kinds{"session.started"});
  rows::upsert_turn(it.database, attempt, turn(1, "i1", "Good morning"));
  CHECK(it.announced() == Kinds{"session.started", "turn.completed"});
  // Also if that message was delivered and deleted since.
  const auto message = next_message(it.database, "crm", 1);
  REQUIRE(message);
  CHECK(message->item_id == "i1");
  record_try(it.database, message->id, "crm", DeliveryState::delivered, 0, "");
  rows::finalise_attempt(it.database, attempt, ending_with_turn());
  CHECK(it.announced() == Kinds{"session.started", "session.ended"});
}

TEST_CASE("recovery announces once an end that a crash left unannounced", "[P2][P7][outbox]") {
  const TempDir dir;
  {
    JournalWatch watch;
    journal::SqliteJournal journal({.file = dir / "live.db"}, watch);
    REQUIRE_FALSE(execute(journal, [](Database& file) { rows::want_messages(file, ~0u); }));
    const auto attempt = open_attempt(journal, usual_spec()).attempt.attempt;
    REQUIRE(
        watch.wait_durable(journal.append(attempt, 2, placed("i1", transcript::Role::assistant))));
    fs::copy_file(dir / "live.db", dir / "v.db");
    fs::copy_file((dir / "live.db").string() + "-wal", (dir / "v.db").string() + "-wal");
  }
  CHECK(Announcing::announced_in(dir / "v.db") == Kinds{"session.started"});
  CHECK(maintenance::recover(dir / "v.db", 5).attempts.size() == 1);
  CHECK(Announcing::announced_in(dir / "v.db") == Kinds{"session.started", "session.ended"});
  CHECK(maintenance::recover(dir / "v.db", 6).attempts.empty());
  CHECK(Announcing::announced_in(dir / "v.db") == Kinds{"session.started", "session.ended"});
}

TEST_CASE("the turns and ends of a merged segment are announced once", "[P2][P6][outbox]") {
  Announcing it;
  const auto attempt = it.begin();
  const fs::path segment = it.dir / "segment.db";
  {
    const auto away = journal::begin_segment(segment, sqlite::Durability::power,
                                             journal::live_attempts(it.database));
    rows::upsert_turn(*away, attempt, turn(1, "i1", "Good morning"));
    rows::finalise_attempt(*away, attempt, ending_with_turn());
  }
  fs::copy_file(segment, it.dir / "again.db");
  journal::merge_segment(it.database, segment);
  const Kinds all{"session.started", "turn.completed", "session.ended"};
  CHECK(it.announced() == all);
  journal::merge_segment(it.database, it.dir / "again.db");
  CHECK(it.announced() == all);
}

TEST_CASE("a changed transcript is announced only after the message of its end was tried",
          "[P3][outbox]") {
  Announcing it;
  const auto attempt = it.begin();
  rows::finalise_attempt(it.database, attempt, ending_with_turn());
  const auto change = [&] {
    rows::announce(it.database, WebhookKind::transcript_updated, attempt, 10);
    return it.announced().back();
  };
  CHECK(change() == "session.ended");
  // A target that does not want the end has not received it.
  const auto started = next_message(it.database, "other", 0);
  record_try(it.database, started->id + 2, "other", DeliveryState::delivered, 0, "",
             records_for({"crm", "other"}));
  CHECK(change() == "session.ended");
  it.tried(WebhookKind::session_ended, "crm");
  CHECK(change() == "transcript.updated");
}

TEST_CASE("a target gets messages in order, each until it has it or is given up for", "[outbox]") {
  Announcing it(0b11);
  rows::finalise_attempt(it.database, it.begin(), ending_with_turn());
  const auto next = [&](std::int64_t after = 0) { return next_message(it.database, "crm", after); };
  const auto first = next();
  REQUIRE(first);
  CHECK(first->kind == WebhookKind::session_started);
  CHECK(first->public_id.starts_with("msg_"));
  rows::begin_try(it.database, first->id, "crm");
  record_try(it.database, first->id, "crm", DeliveryState::waiting, 50, "no");
  // Also for a process that restarts without any knowledge.
  for (const std::int64_t after : {std::int64_t{0}, first->id}) {
    const auto again = next(after);
    REQUIRE(again);
    CHECK(again->public_id == first->public_id);
    CHECK(again->tries == 1);
    CHECK(again->due_at == 50);
    CHECK(again->last_error == "no");
  }
  record_try(it.database, first->id, "crm", DeliveryState::dead, 0, "no");
  const auto second = next(first->id);
  REQUIRE(second);
  CHECK(second->kind == WebhookKind::session_ended);
  record_try(it.database, second->id, "crm", DeliveryState::delivered, 0, "");
  CHECK_FALSE(next(second->id));
  CHECK_FALSE(next());

  CHECK(rows::undelivered(it.database, true).size() == 1);
  CHECK(rows::redrive(it.database, second->public_id) == 0);
  CHECK(rows::redrive(it.database, first->public_id) == 1);
  const auto driven = next(second->id);
  REQUIRE(driven);
  CHECK(driven->public_id == first->public_id);
  CHECK(driven->tries == 0);
}

TEST_CASE("a message stays until all current targets have it", "[P1][outbox]") {
  Announcing it(0b01);
  it.begin();
  const auto message = next_message(it.database, "a", 0);
  REQUIRE(message);
  const auto deliver = [&](const char* target, const std::vector<std::string>& targets) {
    record_try(it.database, message->id, target, DeliveryState::delivered, 0, "",
               records_for(targets));
    return it.announced().size();
  };
  CHECK(deliver("gone", {"gone", "a"}) == 1);
  CHECK(deliver("a", {"a", "new"}) == 1);
  CHECK(next_message(it.database, "new", 0));
  CHECK(deliver("new", {"a", "new"}) == 0);
  // Its number is not reused: a target that looks only beyond it would miss the next one.
  store::AttemptSpec other = usual_spec();
  other.session_id = "s2";
  rows::insert_attempt(it.database, other, 2);
  CHECK(next_message(it.database, "a", message->id));
}

TEST_CASE("a target's backlog counts only messages that it wants", "[P11][outbox]") {
  Announcing it(0b11);
  rows::finalise_attempt(it.database, it.begin(), ending_with_turn());
  const auto count = [&](unsigned wanted) {
    const auto found = rows::backlog(it.database, "crm", 0, wanted);
    return std::vector<std::int64_t>{found.waiting, found.dead, found.oldest.value_or(-1)};
  };
  CHECK(count(0b11) == std::vector<std::int64_t>{2, 0, 1});
  CHECK(count(0b10) == std::vector<std::int64_t>{1, 0, 9});
  const auto first = next_message(it.database, "crm", 0);
  record_try(it.database, first->id, "crm", DeliveryState::waiting, 0, "");
  CHECK(count(0b11) == std::vector<std::int64_t>{2, 0, 1});
  record_try(it.database, first->id, "crm", DeliveryState::dead, 0, "");
  CHECK(count(0b11) == std::vector<std::int64_t>{1, 1, 9});
}

TEST_CASE("nothing of an erased session stays in the outbox", "[P10][outbox]") {
  Announcing it;
  rows::finalise_attempt(it.database, it.begin(), ending_with_turn());
  const auto first = next_message(it.database, "crm", 0);
  it.tried(WebhookKind::session_ended, "crm");
  REQUIRE(rows::erase_session(it.database, "s1"));
  CHECK(it.announced().empty());
  CHECK(it.deliveries() == 0);
  // A late answer or try brings nothing back.
  rows::begin_try(it.database, first->id, "crm");
  record_try(it.database, first->id, "crm", DeliveryState::dead, 0, "late");
  CHECK(it.deliveries() == 0);
}
