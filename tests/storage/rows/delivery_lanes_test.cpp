// Deliveries in lanes: a lane for each session, in the store.
#include <catch2/catch.hpp>

#include "storage/rows/deliveries.hpp"
#include "storage/rows/row_writer.hpp"
#include "storage/rows/transcript_store.hpp"
#include "storage/rows/webhook_outbox.hpp"
#include "storage/sqlite/database.hpp"
#include "storage/sqlite/schema.hpp"
#include "tests/support/temp_dir.hpp"

using namespace verbatim;
using namespace verbatim::test;
using store::DeliveryState;
using store::WebhookKind;

namespace {

namespace fs = std::filesystem;

constexpr unsigned all_kinds = ~0u;
using MessageIds = std::vector<std::int64_t>;
using RetryOutcome = store::RetriedDelivery::Outcome;

/// Sessions with messages for a target, "crm" if no other is named.
struct Lanes {
  TempDir dir;
  sqlite::Database database{dir / "v.db", {.access = sqlite::Access::create}};
  store::DeliveryRecords records{
      .targets = {"crm"}, .tries_max = 3, .delivered_ms = 1000, .delivered_max = 100};
  std::vector<store::DeliveryTarget> targets{{"crm", all_kinds}};
  std::int64_t made = 0;

  Lanes() { rows::want_messages(database, all_kinds); }

  transcript::AttemptId begin(const std::string& session) {
    const store::AttemptSpec spec{
        .session_id = session, .user = "ann", .model = "m", .now = ++made};
    return rows::insert_attempt(database, spec, 1).attempt;
  }
  void announce(transcript::AttemptId attempt, WebhookKind kind = WebhookKind::turn_completed) {
    rows::announce(database, kind, attempt, ++made);
  }
  store::NewMessages find_new(store::NewQuery query = {}) {
    if (query.wanted == 0) query.wanted = all_kinds;
    if (query.limit == 0) query.limit = 100;
    return rows::find_new(database, "crm", query);
  }
  MessageIds heads(MessageIds lanes = {}, std::int64_t after = 0) {
    return ids(find_new({.after = after, .lanes = std::move(lanes)}).heads);
  }
  MessageIds due(TimeMs now, std::int64_t longest_wait_ms = 1'000'000, MessageIds lanes = {}) {
    return ids(rows::find_due(
        database, "crm",
        {.now = now, .longest_wait_ms = longest_wait_ms, .lanes = std::move(lanes), .limit = 100}));
  }
  std::optional<std::int64_t> following(std::int64_t id) {
    const auto found =
        rows::find_following(database, "crm", {.id = id, .lane = lane_of(id)}, all_kinds);
    return found ? std::optional(found->id) : std::nullopt;
  }
  void conclude(std::int64_t id, DeliveryState state, TimeMs due_at = 0, TimeMs at = 10,
                const std::string& target = "crm") {
    rows::begin_try(database, id, target);
    rows::end_try(database, id, target,
                  {.state = state,
                   .due_at = due_at,
                   .error = "no",
                   .at = at,
                   .took_ms = 5,
                   .status = 500,
                   .answer = "sorry"},
                  records);
  }
  store::DeliveryPage list(const store::DeliveryFilter& filter = {}) {
    return rows::list_deliveries(database, filter, targets);
  }
  store::RetriedDelivery retry(const std::string& id) {
    return rows::retry_delivery(database, id, targets);
  }
  std::int64_t number(const std::string& sql) {
    sqlite::Query row = database.query(sql);
    return row.step() ? row.integer(0) : -1;
  }
  std::int64_t lane_of(std::int64_t id) {
    return number(
        "SELECT session FROM attempt WHERE id = (SELECT attempt FROM message WHERE id = " +
        std::to_string(id) + ")");
  }
  static MessageIds ids(const std::vector<store::WebhookMessage>& messages) {
    MessageIds found;
    for (const auto& message : messages) found.push_back(message.id);
    return found;
  }
};

}  // namespace

TEST_CASE("each session's first message is ready, and a lane that is in use is passed by",
          "[order][outbox]") {
  Lanes it;
  const auto one = it.begin("s1");
  it.begin("s2");
  it.announce(one);
  CHECK(it.heads() == MessageIds{1, 2});
  CHECK(it.heads({it.lane_of(1)}) == MessageIds{2});
  CHECK(it.find_new().upto == 3);
  const auto part = it.find_new({.limit = 1});
  CHECK(Lanes::ids(part.heads) == MessageIds{1});
  CHECK(part.more);
  CHECK(part.upto == 1);
  CHECK(it.heads({it.lane_of(1)}, part.upto) == MessageIds{2});
}

TEST_CASE("a session that waits for its next try holds up no other, and nothing of it overtakes",
          "[order][outbox]") {
  Lanes it;
  const auto one = it.begin("s1");
  it.conclude(1, DeliveryState::waiting, 500);
  it.announce(one);
  it.begin("s2");
  CHECK(it.heads() == MessageIds{3});
  CHECK(it.due(499).empty());
  CHECK(it.due(500) == MessageIds{1});
  CHECK(it.due(500, 1'000'000, {it.lane_of(1)}).empty());
  CHECK(it.following(1) == 1);
  it.announce(one);
  it.conclude(1, DeliveryState::dead);
  CHECK(it.following(1) == 2);
  it.conclude(2, DeliveryState::delivered);
  CHECK(it.following(2) == 4);
  it.conclude(4, DeliveryState::delivered);
  CHECK_FALSE(it.following(4));
}

TEST_CASE("messages that were driven again are sent in order, and wait for the first of them",
          "[order][outbox]") {
  Lanes it;
  const auto one = it.begin("s1");
  it.announce(one);
  it.announce(one);
  for (const std::int64_t id : {1, 2}) it.conclude(id, DeliveryState::dead);
  CHECK(rows::redrive(it.database, std::nullopt) == 2);
  CHECK(it.heads().empty());
  CHECK(it.due(1) == MessageIds{1});
  it.conclude(1, DeliveryState::waiting, 700);
  CHECK(it.due(699).empty());
  CHECK(it.number("SELECT min(due_at) FROM delivery WHERE state = 0") == 700);
  CHECK(it.due(700) == MessageIds{1});
  it.conclude(1, DeliveryState::delivered);
  CHECK(it.following(1) == 2);
}

TEST_CASE("a message due later than any pause is due now: the clock was set back", "[outbox]") {
  Lanes it;
  it.begin("s1");
  it.conclude(1, DeliveryState::waiting, 86'400'000);
  CHECK(it.due(100, 86'400'000).empty());
  CHECK(it.due(100, 60'000) == MessageIds{1});
}

TEST_CASE("a message that was put off counts as untried, and follows a changed setting",
          "[P3][outbox]") {
  Lanes it;
  const auto one = it.begin("s1");
  it.announce(one, WebhookKind::session_ended);
  it.conclude(1, DeliveryState::delivered);
  rows::put_off(it.database, 2, "crm", 9000);
  it.announce(one, WebhookKind::transcript_updated);
  CHECK(it.number("SELECT count(*) FROM message WHERE kind = 2") == 0);
  CHECK(it.due(8999).empty());
  rows::settle_anew(it.database, "crm", 40);
  CHECK(it.due(it.number("SELECT created_at FROM message WHERE id = 2") + 39).empty());
  CHECK(it.due(it.number("SELECT created_at FROM message WHERE id = 2") + 40) == MessageIds{2});
  it.conclude(2, DeliveryState::waiting, 9000);
  rows::settle_anew(it.database, "crm", 40);
  CHECK(it.due(8999).empty());
}

TEST_CASE("messages of other kinds are passed over and hold nothing up", "[order][outbox]") {
  Lanes it;
  const auto one = it.begin("s1");
  it.announce(one);
  it.announce(one, WebhookKind::session_ended);
  const unsigned ends = 1u << static_cast<unsigned>(WebhookKind::session_ended);
  const auto found = it.find_new({.wanted = ends});
  CHECK(Lanes::ids(found.heads) == MessageIds{3});
  CHECK(found.unwanted == MessageIds{1, 2});
  rows::pass_over(it.database, found.unwanted, "crm", it.records, 10);
  CHECK(it.find_new({.wanted = ends}).unwanted.empty());
  CHECK(it.list().deliveries.size() == 1);
}

TEST_CASE("a target that is added later gets no message that all others had before", "[outbox]") {
  Lanes it;
  const auto one = it.begin("s1");
  it.announce(one, WebhookKind::session_ended);
  for (const std::int64_t id : {1, 2}) it.conclude(id, DeliveryState::delivered);
  CHECK(rows::find_new(it.database, "new", {.wanted = all_kinds, .limit = 10}).heads.empty());
  // One that a removed target lacks is done as soon as the others have it.
  it.records.targets = {"crm", "gone"};
  it.announce(one);
  it.conclude(3, DeliveryState::delivered);
  CHECK(it.number("SELECT done_at IS NULL FROM message WHERE id = 3") == 1);
  it.records.targets = {"crm"};
  CHECK(rows::finish_received(it.database, 0, it.records, 20) == 3);
  CHECK_FALSE(rows::finish_received(it.database, 3, it.records, 20));
  CHECK(it.number("SELECT done_at FROM message WHERE id = 3") == 20);
}

TEST_CASE("records of delivered messages are bounded in time and number", "[P11][outbox]") {
  Lanes it;
  it.records.delivered_max = 2;
  const auto one = it.begin("s1");
  it.conclude(1, DeliveryState::delivered, 0, 10);
  it.announce(one, WebhookKind::session_ended);
  it.conclude(2, DeliveryState::delivered, 0, 20);
  CHECK(it.list().deliveries.size() == 2);
  it.announce(one);
  it.conclude(3, DeliveryState::delivered, 0, 30);
  CHECK(it.number("SELECT count(*) FROM message") == 2);
  it.announce(one);
  it.conclude(4, DeliveryState::delivered, 0, 5000);
  // The end's row stays, without its tries, so that the end is not announced again.
  CHECK(it.number("SELECT group_concat(id) = '2,4' FROM message") == 1);
  CHECK(it.number("SELECT count(*) FROM delivery_try") == 1);
  CHECK(it.list().deliveries.size() == 1);
  it.announce(one, WebhookKind::session_ended);
  CHECK(it.number("SELECT count(*) FROM message") == 2);
  it.announce(one, WebhookKind::transcript_updated);
  CHECK(it.number("SELECT count(*) FROM message") == 3);
}

TEST_CASE("records expire also while nothing is delivered", "[P11][outbox]") {
  Lanes it;
  it.begin("s1");
  it.conclude(1, DeliveryState::delivered, 0, 10);
  rows::pass_over(it.database, {}, "crm", it.records, 1014);
  CHECK(it.list().deliveries.size() == 1);
  rows::pass_over(it.database, {}, "crm", it.records, 1015);
  CHECK(it.list().deliveries.empty());
}

TEST_CASE("the latest tries of a delivery are kept, with time, status and answer",
          "[P11][outbox]") {
  Lanes it;
  it.begin("s1");
  for (TimeMs at = 1; at <= 5; ++at) it.conclude(1, DeliveryState::waiting, 1, at);
  const auto page = it.list();
  REQUIRE(page.deliveries.size() == 1);
  const auto& tries = page.deliveries[0].tries;
  REQUIRE(tries.size() == 3);
  CHECK(tries[0].number == 3);
  CHECK(tries[2].number == 5);
  CHECK(tries[2].at == 5);
  CHECK(tries[2].took_ms == 5);
  CHECK(tries[2].status == 500);
  CHECK(tries[2].error == "no");
  CHECK(tries[2].answer == "sorry");
  CHECK(page.deliveries[0].delivery.message.tries == 5);
  REQUIRE(rows::erase_session(it.database, "s1"));
  CHECK(it.number("SELECT count(*) FROM delivery_try") == 0);
}

TEST_CASE("every delivery is listed once, newest first, page by page", "[outbox]") {
  Lanes it;
  it.targets = {{"crm", all_kinds}, {"bi", 1u}};
  it.records.targets = {"crm", "bi"};
  const auto one = it.begin("s1");
  it.begin("s2");
  it.announce(one);
  it.conclude(1, DeliveryState::dead);
  it.conclude(2, DeliveryState::delivered);
  using Shown = std::vector<std::string>;
  const auto shown = [&](store::DeliveryFilter filter) {
    Shown all;
    do {
      const auto page = it.list(filter);
      for (const auto& one : page.deliveries)
        all.push_back(std::to_string(one.delivery.message.id) + one.delivery.target + ":" +
                      std::string(store::to_string(one.delivery.state)));
      filter.cursor = page.next_cursor;
    } while (!filter.cursor.empty());
    return all;
  };
  const Shown whole{"3crm:waiting", "2crm:delivered", "2bi:waiting", "1crm:dead", "1bi:waiting"};
  for (const std::size_t limit : {1, 2, 3, 100}) CHECK(shown({.limit = limit}) == whole);
  CHECK(shown({.target = "bi", .limit = 1}) == Shown{"2bi:waiting", "1bi:waiting"});
  CHECK(shown({.state = DeliveryState::waiting, .limit = 2}) ==
        Shown{"3crm:waiting", "2bi:waiting", "1bi:waiting"});
  CHECK(shown({.state = DeliveryState::dead}) == Shown{"1crm:dead"});
  CHECK(shown({.state = DeliveryState::delivered}) == Shown{"2crm:delivered"});
  CHECK(shown({.session_id = "s2"}) == Shown{"2crm:delivered", "2bi:waiting"});
  CHECK(shown({.target = "crm", .state = DeliveryState::dead, .session_id = "s2"}).empty());
  CHECK_THROWS_AS(it.list({.cursor = "1.x"}), store::StorageError);
}

TEST_CASE("a dead or waiting delivery is due now on demand, as often as that is asked",
          "[outbox]") {
  Lanes it;
  const auto one = it.begin("s1");
  it.conclude(1, DeliveryState::dead);
  const std::string dead = it.list().deliveries[0].id;
  for (int again = 0; again < 2; ++again) {
    const auto retried = it.retry(dead);
    CHECK(retried.outcome == RetryOutcome::due);
    REQUIRE(retried.record);
    CHECK(retried.record->delivery.state == DeliveryState::waiting);
    CHECK(retried.record->delivery.message.tries == 0);
    CHECK(retried.record->tries.size() == 1);
  }
  CHECK(it.due(5) == MessageIds{1});
  it.conclude(1, DeliveryState::waiting, 9000);
  CHECK(it.retry(dead).record->delivery.message.tries == 1);
  CHECK(it.due(5) == MessageIds{1});
  it.conclude(1, DeliveryState::delivered);
  CHECK(it.retry(dead).outcome == RetryOutcome::delivered);
  // One that was never tried has an id, too.
  it.announce(one);
  const std::string untried = it.list({.state = DeliveryState::waiting}).deliveries[0].id;
  CHECK(it.retry(untried).outcome == RetryOutcome::due);
  CHECK(it.heads() == MessageIds{2});
  it.targets.clear();
  it.conclude(2, DeliveryState::dead);
  CHECK(it.retry(untried).outcome == RetryOutcome::no_target);
  CHECK(it.due(9999).empty());
  for (const char* unknown : {"", "dlv_", "dlv__", "dlv_1_2", "msg_1"})
    CHECK(it.retry(unknown).outcome == RetryOutcome::not_found);
}

TEST_CASE("an older file keeps its messages: those that wait and those that are dead",
          "[P1][outbox][storage]") {
  const TempDir dir;
  const fs::path file = dir / "v.db";
  {
    Lanes it;
    it.begin("s1");
    it.begin("s2");
    it.begin("s3");
    it.conclude(1, DeliveryState::waiting, 500);
    it.conclude(2, DeliveryState::dead);
    // As version 7 had it.
    for (const char* table : {"dirty", "shipping", "run", "audio_run", "repair", "upload"})
      it.database.run(std::string("DROP TABLE ") + table);
    it.database.run("ALTER TABLE meta DROP COLUMN node_id");
    for (const char* column : {"recoveries", "taken_upto", "tail_pending"})
      it.database.run(std::string("ALTER TABLE attempt DROP COLUMN ") + column);
    it.database.run("DROP INDEX attempt_by_change");
    it.database.run("ALTER TABLE attempt DROP COLUMN changed");
    it.database.run("ALTER TABLE meta DROP COLUMN last_change");
    it.database.run("ALTER TABLE meta DROP COLUMN store");
    it.database.run("DROP TABLE delivery_try");
    for (const char* index :
         {"message_pending", "message_done", "delivery_waiting", "delivery_due"})
      it.database.run(std::string("DROP INDEX ") + index);
    it.database.run("ALTER TABLE message DROP COLUMN done_at");
    it.database.run("ALTER TABLE delivery DROP COLUMN session");
    it.database.run("ALTER TABLE delivery DROP COLUMN refusals");
    it.database.run("CREATE INDEX delivery_waiting ON delivery (target, message) WHERE state = 0");
    it.database.run("PRAGMA user_version=7");
    it.database.query("VACUUM INTO ?").bind(file.string()).run();
  }
  sqlite::Database database(file);
  const auto wanted = store::NewQuery{.wanted = all_kinds, .limit = 10};
  CHECK(Lanes::ids(rows::find_new(database, "crm", wanted).heads) == MessageIds{3});
  CHECK(Lanes::ids(rows::find_due(
            database, "crm", {.now = 500, .longest_wait_ms = 1000, .limit = 10})) == MessageIds{1});
  CHECK(rows::undelivered(database, true).size() == 1);
  CHECK(rows::find_following(database, "crm", {.id = 1, .lane = 1}, all_kinds)->id == 1);
}
