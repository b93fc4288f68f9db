// Sessions that move between the stores of a fleet's nodes.
#include "storage/rows/session_import.hpp"

#include <catch2/catch.hpp>

#include "storage/rows/fold.hpp"
#include "tests/support/conversations.hpp"
#include "tests/support/shipped_store.hpp"

using namespace verbatim;
using namespace verbatim::test;

namespace {

/// The store of the node that is lost, with an answer that is not complete.
struct LostNode {
  LostNode() {
    attempt = it.begin("s1");
    say({{}, transcript::SettingsChanged{R"({"instructions":"x"})"}});
    say(placed("q1", transcript::Role::assistant));
    say(delta("q1", "How are you?"));
    say(placed("a1", transcript::Role::assistant));
    say(delta("a1", "Very "));
    it.sync();
    shipped = it.journal->durable();
  }

  transcript::Sequence say(const transcript::Event& event) {
    return it.journal->append(attempt, ++at, event);
  }
  /// As the fleet's database has it.
  store::MovedSession session() {
    it.sync();
    auto read = it.shipping->read_shipment(0, {}, false);
    REQUIRE(read);
    REQUIRE_FALSE(read->more);
    return {*std::move(read), 5000, true};
  }

  Shipped it;
  transcript::AttemptId attempt = 0;
  TimeMs at = 1100;
  transcript::Sequence shipped = 0;
};

bool import(Shipped& into, const store::MovedSession& session) {
  std::promise<bool> done;
  bool imported = false;
  into.journal->import(
      rows::numbers_of(session),
      [&](sqlite::Database& database, transcript::Sequence last) {
        imported = rows::import_session(database, session, last);
      },
      [&](const store::StorageError* error) { done.set_value(error == nullptr && imported); });
  return done.get_future().get();
}

template <class Read>
auto look(Shipped& it, const Read& read) {
  it.sync();
  sqlite::Database database(it.file(), {.access = sqlite::Access::read_only});
  return read(database);
}

std::string text_of_item(Shipped& it, const std::string& item) {
  it.sync();
  rows::TranscriptStore store(it.file());
  const auto view = store.transcript("s1", 1);
  REQUIRE(view);
  for (const auto& turn : view->turns)
    if (turn.item_id == item) return turn.text.wtf8();
  return "missing";
}

}  // namespace

TEST_CASE("a session that is taken over is the same attempt, and waits for its client",
          "[P14][takeover]") {
  LostNode from;
  Shipped to;
  // Numbers of this store are far ahead of those of the other.
  const auto own = to.begin("own");
  for (int i = 0; i < 50; ++i) to.journal->append(own, 2, delta("x", "y"));
  REQUIRE(import(to, from.session()));
  const auto open =
      look(to, [](sqlite::Database& database) { return rows::open_sessions(database); });
  REQUIRE(open.size() == 2);
  CHECK(open[0].id == "own");
  CHECK(open[1] == store::OpenSession{"s1", "ann"});
  const auto stored = look(to, [](sqlite::Database& database) {
    return rows::find_stored(database, {"s1", "s2", "own"});
  });
  CHECK(stored == std::vector<store::StoredSession>{{"s1", false}, {"own", false}});
  CHECK(text_of_item(to, "q1") == "How are you?");
  CHECK(text_of_item(to, "a1") == "Very ");
  CHECK(to.count("SELECT status FROM attempt WHERE number = 1 AND suspended_at = 5000") ==
        static_cast<int>(transcript::SessionStatus::recovering));
  const auto pending =
      look(to, [](sqlite::Database& database) { return rows::pending_tails(database); });
  CHECK(pending == std::vector<store::AttemptName>{{"s1", 1}});
  // It goes on, also with rows of the journal that come later.
  const std::int64_t id = to.count("SELECT max(id) FROM attempt");
  to.journal->append(id, 6000, delta("a1", "well."));
  CHECK(text_of_item(to, "a1") == "Very well.");
}

TEST_CASE("events that were taken over are not shipped again, and those behind them are",
          "[P14][takeover][shipping]") {
  LostNode from;
  Shipped to;
  REQUIRE(import(to, from.session()));
  const std::int64_t id = to.count("SELECT max(id) FROM attempt");
  to.journal->append(id, 6000, delta("a1", "well."));
  to.sync();
  const auto shipment = to.shipping->read_shipment(0, {}, false);
  REQUIRE(shipment);
  // The loss of the provider's connection, and what came then.
  CHECK(shipment->events.size() == 2);
  CHECK(shipment->sessions.size() == 1);
}

TEST_CASE("a session with an open attempt is not replaced, one without is", "[P14][takeover]") {
  LostNode from;
  Shipped to;
  const store::MovedSession session = from.session();
  REQUIRE(import(to, session));
  CHECK_FALSE(import(to, session));
  to.sync();
  const std::int64_t id = to.count("SELECT max(id) FROM attempt");
  to.journal->close(id, {transcript::CloseReason::client_closed, 7000, {}});
  CHECK(import(to, session));
  CHECK(to.count("SELECT count(*) FROM attempt") == 1);
}

TEST_CASE("a session that is given up leaves this store alone: nothing of that is shipped",
          "[P14][takeover][shipping]") {
  LostNode from;
  from.it.change([](sqlite::Database& database) {
    rows::want_messages(database, 15);
    rows::announce(database, store::WebhookKind::session_started, 1, 20);
  });
  from.it.sync();
  const auto before = from.it.journal->durable();
  from.it.change([](sqlite::Database& database) { rows::forget_session(database, "s1"); });
  from.it.sync();
  CHECK(from.it.count("SELECT count(*) FROM session") == 0);
  CHECK(from.it.count("SELECT count(*) FROM journal") == 0);
  const auto shipment = from.it.shipping->read_shipment(before, {}, false);
  REQUIRE(shipment);
  CHECK(shipment->erased.empty());
  CHECK(shipment->messages.empty());
  CHECK(shipment->tokens.empty());
}

TEST_CASE("the tail of a lost session is what came behind its watermark, with the turn before it",
          "[P3][P14][takeover]") {
  LostNode from;
  const auto tails = [&] {
    return look(from.it, [&](sqlite::Database& database) {
      return rows::tails_of(database, "s1", from.shipped);
    });
  };
  CHECK(tails().empty());
  from.say(delta("a1", "well."));
  from.say(placed("q2", transcript::Role::assistant));
  from.say(delta("q2", "And you?"));
  const auto found = tails();
  REQUIRE(found.size() == 1);
  CHECK(found[0].attempt == 1);
  std::vector<std::pair<std::string, std::string>> turns;
  for (const auto& one : found[0].turns) turns.emplace_back(one.item_id, one.text.wtf8());
  CHECK(turns == std::vector<std::pair<std::string, std::string>>{
                     {"q1", "How are you?"}, {"a1", "Very well."}, {"q2", "And you?"}});
}
