// The store over SQLite, through the interface that the server uses.
#include "storage/sqlite_store/sqlite_store.hpp"

#include <SQLiteCpp/SQLiteCpp.h>

#include <atomic>
#include <catch2/catch.hpp>
#include <future>

#include "storage/maintenance/recovery.hpp"
#include "storage/rows/copies.hpp"
#include "storage/sqlite/database.hpp"
#include "tests/support/fault_vfs.hpp"
#include "tests/support/journal_driver.hpp"
#include "tests/support/temp_dir.hpp"

using namespace verbatim;
using namespace verbatim::maintenance;
using namespace verbatim::rows;
using namespace verbatim::sqlite;
using namespace verbatim::sqlite_store;
using namespace verbatim::store;
using test::ask;

namespace {

transcript::CopyTurn copied_user_turn(int number) {
  transcript::CopyTurn turn;
  turn.role = transcript::Role::user;
  turn.text = Text::from_wtf8("turn " + std::to_string(number));
  turn.ordinal = number;
  return turn;
}

PostedCopy copy_of(const std::string& session_id, int turns) {
  PostedCopy posted;
  posted.session_id = session_id;
  posted.copy.writer = "agent";
  for (int i = 1; i <= turns; ++i) posted.copy.turns.push_back(copied_user_turn(i));
  return posted;
}

class OpenStore {
 public:
  OpenStore() { open(); }
  void open() {
    recover(file(), 1000);
    SqliteStoreOptions options;
    options.journal.file = file();
    options.merged_bytes_max = 1024 * 1024;
    store_ = std::make_unique<SqliteStore>(std::move(options), watch_, log_);
  }
  void close() {
    REQUIRE(store_->shut_down(test::patience));
    store_.reset();
  }
  std::filesystem::path file() const { return dir_ / "v.db"; }
  std::filesystem::path index() const { return dir_ / "search.index"; }
  test::JournalWatch& watch() { return watch_; }
  SqliteStore* operator->() { return store_.get(); }

  void make_session(const std::string& id) {
    NewSession asked;
    asked.id = id;
    asked.user = "ann";
    REQUIRE(ask<MadeSession>([&](auto done) { store_->create_session(asked, done); }));
  }
  KeptCopy post(const std::string& id, int turns) {
    return ask<KeptCopy>([&](auto done) { store_->keep_copy(copy_of(id, turns), done); }).value();
  }
  std::size_t turns_in_list() {
    const auto page =
        ask<SessionPage>([&](auto done) { store_->list_sessions({}, {"a list"}, done); }).value();
    return page.sessions.at(0).attempts.at(0).turns;
  }

 private:
  test::TempDir dir_;
  test::JournalWatch watch_;
  Log log_{LogOptions{LogLevel::error}};
  std::unique_ptr<SqliteStore> store_;
};

}  // namespace

TEST_CASE("a posted copy is merged and counted before its post is answered", "[P3][sqlite_store]") {
  OpenStore store;
  store.make_session("s1");
  const KeptCopy kept = store.post("s1", 3);
  CHECK(kept.is_new);
  const auto outcome = ask<std::optional<PostOutcome>>(
      [&](auto done) { store->merge_copy(kept, "s1", {"a post"}, done); });
  REQUIRE(outcome.value());
  CHECK((*outcome)->turns == 3);
  CHECK((*outcome)->brought.added == 3);
  CHECK(store.turns_in_list() == 3);
}

TEST_CASE("the store itself merges copies whose post was not answered", "[P3][sqlite_store]") {
  OpenStore store;
  store.make_session("s1");
  store.close();
  {
    Database database(store.file());
    keep_copy(database, copy_of("s1", 2));
  }
  store.open();
  CHECK(test::becomes([&] { return store.turns_in_list() == 2; }));
}

TEST_CASE("merges delay neither admission nor reads of sessions without copies",
          "[P3][sqlite_store]") {
  OpenStore store;
  store.make_session("plain");
  store.make_session("copied");
  store.post("copied", 1);
  std::promise<void> merged;
  const auto busy = merged.get_future().share();
  for (const MergeLane lane : {MergeLane::quick, MergeLane::slow})
    store->compute(lane, {"a merge"}, [busy] { busy.wait(); });

  std::promise<StoreResult<std::optional<SessionSummary>>> copied;
  store->find_session("copied", {"a read"},
                      [&](auto found) { copied.set_value(std::move(found)); });
  auto waits = copied.get_future();
  // Twice: a read that was put behind the first one would be done before the second one.
  for (int i = 0; i < 2; ++i) {
    const auto plain = ask<std::optional<SessionSummary>>(
        [&](auto done) { store->find_session("plain", {"a read"}, done); });
    CHECK(plain.value()->id == "plain");
  }
  CHECK(ask<TokenStanding>([&](auto done) {
          store->judge_token({"", "plain", true, 0}, {}, done);
        })
            .value()
            .owner == "ann");
  CHECK(waits.wait_for(std::chrono::seconds(0)) == std::future_status::timeout);
  merged.set_value();
  CHECK(waits.get().value()->attempts.at(0).turns == 1);
}

TEST_CASE("the errors of reads and of changes are values", "[sqlite_store]") {
  OpenStore store;
  SessionFilter filter;
  filter.cursor = "x";
  const auto page =
      ask<SessionPage>([&](auto done) { store->list_sessions(filter, {"a list"}, done); });
  REQUIRE_FALSE(page);
  CHECK(page.error().failure() == Failure::not_found);
  const auto patched = ask<void>([&](auto done) {
    store->patch_metadata("nothing", {"{}", "{}"}, 1024, done);
  });
  REQUIRE_FALSE(patched);
  CHECK(patched.error().failure() == Failure::not_found);
}

TEST_CASE("a session with a live attempt is not erased, so no word is left without its attempt",
          "[P10][sqlite_store]") {
  OpenStore store;
  const auto attempt =
      ask<OpenedAttempt>([&](auto done) {
        store->open_attempt({.session_id = "s1", .user = "ann", .model = "m", .now = 1}, done);
      }).value();
  const auto erase = [&] {
    return ask<bool>([&](auto done) { store->erase_session("s1", {}, done, [] {}); });
  };
  const auto refused = erase();
  REQUIRE_FALSE(refused);
  CHECK(std::string(refused.error().what()).find("has a live attempt") != std::string::npos);
  CHECK(store.turns_in_list() == 0);  // it is still there
  store->journal().close(attempt.attempt, {transcript::CloseReason::client_closed, 2, {}});
  CHECK(erase().value());
  CHECK_FALSE(erase().value());
}

TEST_CASE("a session that only writers have filled is erased", "[P10][sqlite_store]") {
  OpenStore store;
  store.make_session("s1");
  store.post("s1", 2);
  CHECK(ask<bool>([&](auto done) { store->erase_session("s1", {}, done, [] {}); }).value());
}

TEST_CASE("an outbox gives a target's messages in their order, until each has had an outcome",
          "[P8][sqlite_store]") {
  OpenStore store;
  REQUIRE(ask<void>([&](auto done) { store->want_messages(~0u, done); }));
  const auto opened = ask<OpenedAttempt>([&](auto done) {
    store->open_attempt({.session_id = "s1", .user = "ann", .model = "m", .now = 1}, done);
  });
  store->journal().close(opened.value().attempt, {transcript::CloseReason::client_closed, 2, {}});
  const auto outbox = store->open_outbox(
      "hook", {.targets = {"hook"}, .tries_max = 1, .delivered_ms = 1000, .delivered_max = 10});
  REQUIRE(outbox->ready());
  std::optional<WebhookMessage> message;
  std::vector<WebhookKind> kinds;
  REQUIRE(test::becomes([&] {
    if (!message) {
      const auto found = ask<NewMessages>(
          [&](auto done) { outbox->find_new({.wanted = ~0u, .limit = 1}, std::move(done)); });
      if (found.value().heads.empty()) return false;
      message = found->heads.front();
    }
    const auto subject = ask<std::optional<MessageSubject>>(
        [&](auto done) { outbox->read_subject(*message, std::move(done)); });
    CHECK(subject.value()->session.user == "ann");
    kinds.push_back(message->kind);
    REQUIRE(ask<void>([&](auto done) { outbox->begin_try(message->id, std::move(done)); }));
    REQUIRE(ask<void>([&](auto done) {
      outbox->end_try(message->id, {.state = DeliveryState::delivered}, std::move(done));
    }));
    message = ask<std::optional<WebhookMessage>>([&](auto done) {
                outbox->find_following(*message, ~0u, std::move(done));
              }).value();
    return kinds.size() == 2;
  }));
  CHECK(kinds == std::vector{WebhookKind::session_started, WebhookKind::session_ended});
  CHECK_FALSE(message);
  const auto due = ask<std::vector<WebhookMessage>>(
      [&](auto done) { outbox->find_due({.now = 1'000'000, .limit = 10}, std::move(done)); });
  CHECK(due.value().empty());
  const std::vector<DeliveryTarget> targets{{"hook", ~0u}};
  const auto page = ask<DeliveryPage>(
      [&](auto done) { store->list_deliveries({}, targets, {"the test"}, std::move(done)); });
  REQUIRE(page.value().deliveries.size() == 2);
  const auto retried = ask<RetriedDelivery>(
      [&](auto done) { store->retry_delivery(page->deliveries[0].id, targets, std::move(done)); });
  CHECK(retried.value().outcome == RetriedDelivery::Outcome::delivered);
}

TEST_CASE("an erasure that a full disk delays is complete only once the index has no word of it",
          "[P10][store]") {
  test::FaultVfs disk;
  disk.confine("v.db");
  OpenStore store;
  store.make_session("s1");
  store.post("s1", 2);
  SessionFilter words;
  words.question = "turn";
  REQUIRE(test::becomes([&] {
    const auto page =
        ask<SessionPage>([&](auto done) { store->list_sessions(words, {"a search"}, done); });
    return page && page->sessions.size() == 1;
  }));
  SQLite::Database reader(store.index().string());
  reader.exec("BEGIN");  // the old words cannot leave the index while it reads
  REQUIRE(reader.execAndGet("SELECT count(*) FROM indexed").getInt() == 1);

  disk.fill_disk(true);
  std::atomic<int> gone{0};
  std::promise<StoreResult<bool>> erased;
  store->erase_session(
      "s1", {}, [&](StoreResult<bool> result) { erased.set_value(std::move(result)); },
      [&] { ++gone; });
  REQUIRE(store.watch().wait_state(JournalState::stalled));
  disk.fill_disk(false);
  CHECK(erased.get_future().get().value());
  // The log of the database is emptied, and the writer goes on after that.
  REQUIRE(test::becomes(
      [&] { return std::filesystem::file_size(store.file().string() + "-wal") == 0; }));
  store.make_session("s2");
  CHECK(gone == 0);
  reader.exec("ROLLBACK");
  CHECK(test::becomes([&] { return gone == 1; }));
}
