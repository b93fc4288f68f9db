// Fencing and taking over in a real PostgreSQL.
#include "server/fleet/ownership/takeover_queries.hpp"

#include <catch2/catch.hpp>
#include <future>

#include "server/fleet/directory/home_queries.hpp"
#include "server/fleet/ownership/session_reader.hpp"
#include "server/fleet/reading/node_changes.hpp"
#include "server/fleet/reading/session_rows.hpp"
#include "server/fleet/shipping/batch.hpp"
#include "tests/support/fleet_database.hpp"

namespace verbatim::ownership {
namespace {

using database::Connection;
using namespace std::chrono_literals;

const std::string node_a = "aaaaaaaa-1111-4111-8111-111111111111";
const std::string node_b = "bbbbbbbb-2222-4222-8222-222222222222";

struct TwoNodes : testing::FleetDatabase {
  Connection b = prepared();

  TwoNodes() {
    enter(1, node_a, "-1 s");
    enter(2, node_b, "1 hour");
    make_session("s1");
  }
  void enter(int incarnation, const std::string& node, const std::string& lease) const {
    FleetDatabase::enter(incarnation, node, lease, 7);
  }
  void make_session(const std::string& id) const {
    sql("INSERT INTO session (id, user_name, metadata, private, created_at, tokens, node_id) "
        "VALUES ('" +
        id + "', 'ann', '{}', '{}', 1, '{}', '" + node_a +
        "'); INSERT INTO attempt (session, number, node_id, owner, status, started_at, model, "
        "complete, gaps, usage, copies, copy_turns, copy_bytes) VALUES ('" +
        id + "', 1, '" + node_a + "', 1, 1, 5, 'm', false, '[]', '[]', 0, 0, 0)");
  }
  void event(int incarnation, int seq, const std::string& body, TimeMs at = 1) const {
    sql("INSERT INTO event VALUES ('s1', 1, " + std::to_string(incarnation) + ", " +
        std::to_string(seq) + ", " + std::to_string(at) + ", '" + body + "')");
  }
  void turn(int ordinal, const std::string& text) const {
    sql("INSERT INTO turn (session, attempt, item_id, ordinal, role, status, text, reason, "
        "deleted, response_id, audio_ms) VALUES ('s1', 1, '" +
        text + "', " + std::to_string(ordinal) + ", 1, 1, '" + text + "', '', false, '', 0)");
  }
  /// One takeover by the node of that incarnation.
  bool takes(Connection& by, std::int64_t from, std::int64_t own) const {
    REQUIRE(by.run_script("BEGIN"));
    const auto fenced = fence(by, from, own);
    REQUIRE(fenced);
    bool taken = false;
    if (*fenced) taken = take(by, "s1", **fenced, own).value();
    REQUIRE(by.run_script("COMMIT"));
    return taken;
  }
  std::string home() const { return sql("SELECT node_id FROM session WHERE id = 's1'"); }
};

}  // namespace

TEST_CASE("a node that holds its lease is not fenced, by the database's clock",
          "[P14][fleet][takeover]") {
  TwoNodes fleet;
  fleet.sql("UPDATE node SET lease_until = now() + interval '1 hour' WHERE incarnation = 1");
  CHECK_FALSE(fleet.takes(fleet.b, 1, 2));
  CHECK(fleet.sql("SELECT alive FROM node WHERE incarnation = 1") == "t");
  const auto node = look_at(fleet.b, 1);
  REQUIRE(node);
  CHECK((*node)->alive);
  CHECK_FALSE((*node)->over_since);
}

TEST_CASE("a session of a fenced node is taken once, with its attempt, and its tail is awaited",
          "[P14][fleet][takeover]") {
  TwoNodes fleet;
  const auto node = look_at(fleet.b, 1);
  REQUIRE(node);
  CHECK((*node)->over_since.value_or(0s) >= 1s);
  REQUIRE(fleet.takes(fleet.b, 1, 2));
  CHECK(fleet.home() == node_b);
  CHECK(fleet.sql("SELECT alive, fenced_by FROM node WHERE incarnation = 1") == "f|2");
  CHECK(fleet.sql("SELECT node_id, owner, path FROM attempt") == node_b + "|2|{2}");
  CHECK(fleet.sql("SELECT session, attempt, node_id, shipped, turns IS NULL FROM tail") ==
        "s1|1|" + node_a + "|7|t");
  CHECK_FALSE(fleet.takes(fleet.b, 1, 2));
}

TEST_CASE("of several nodes at once one takes the session", "[P14][fleet][takeover]") {
  TwoNodes fleet;
  constexpr int takers = 6;
  std::vector<Connection> connections;
  for (int i = 0; i < takers; ++i) {
    fleet.enter(10 + i, "cccccccc-3333-4333-8333-33333333333" + std::to_string(i), "1 hour");
    connections.push_back(fleet.connect());
  }
  std::vector<std::future<bool>> tries;
  for (int i = 0; i < takers; ++i)
    tries.push_back(std::async(std::launch::async, [&by = connections[i], i] {
      if (!by.run_script("BEGIN")) return false;
      const auto fenced = fence(by, 1, 10 + i);
      const bool taken = fenced && *fenced && take(by, "s1", **fenced, 10 + i).value_or(false);
      return by.run_script("COMMIT") && taken;
    }));
  int taken = 0;
  for (auto& one : tries) taken += one.get() ? 1 : 0;
  CHECK(taken == 1);
  CHECK(fleet.sql("SELECT cardinality(path) FROM attempt") == "1");
}

TEST_CASE("a batch of a node that was fenced is undone, with all its words",
          "[P14][fleet][takeover]") {
  TwoNodes fleet;
  Connection a = fleet.connect();
  REQUIRE(fleet.takes(fleet.b, 1, 2));
  const shipping::Sender zombie{node_a, "r", 1, 2s};
  store::Shipment words;
  words.attempt_names = {{"s1", 1}};
  words.events = {{8, 0, 1, "too late"}};
  REQUIRE(a.begin_pipeline());
  REQUIRE(shipping::send_rows(a, zombie, words));
  REQUIRE(shipping::send_guard(a, zombie, 7, 8));
  REQUIRE(a.sync());
  std::string sqlstate;
  while (sqlstate.empty()) {
    const auto arrived = a.receive();
    if (!arrived) sqlstate = arrived.error().sqlstate;
    REQUIRE_FALSE((arrived && *arrived && (*arrived)->synced));
  }
  CHECK(sqlstate == "23502");
  CHECK(fleet.sql("SELECT count(*) FROM event") == "0");
}

TEST_CASE("a node that has registered again keeps its sessions", "[P14][fleet][takeover]") {
  TwoNodes fleet;
  fleet.sql("UPDATE node SET alive = false, fenced_by = 3 WHERE incarnation = 1");
  fleet.enter(3, node_a, "1 hour");
  CHECK_FALSE(fleet.takes(fleet.b, 1, 2));
  CHECK(fleet.home() == node_a);
}

TEST_CASE("the sessions of a node that has left are taken without waiting, and no tail is awaited",
          "[P14][fleet][takeover]") {
  TwoNodes fleet;
  fleet.sql("UPDATE node SET lease_until = now() + interval '1 hour' WHERE incarnation = 1");
  Connection a = fleet.connect();
  REQUIRE(a.begin_pipeline());
  REQUIRE(shipping::send_leave(a, {node_a, "r", 1, 2s}));
  REQUIRE(a.sync());
  for (bool over = false; !over;) {
    const auto arrived = a.receive();
    REQUIRE(arrived);
    over = *arrived && (*arrived)->synced;
  }
  CHECK(fleet.takes(fleet.b, 1, 2));
  CHECK(fleet.sql("SELECT count(*) FROM tail") == "0");
}

TEST_CASE("a fenced node takes nothing", "[P14][fleet][takeover]") {
  TwoNodes fleet;
  fleet.sql("UPDATE node SET alive = false WHERE incarnation = 2");
  CHECK_FALSE(fleet.takes(fleet.b, 1, 2));
  CHECK(fleet.sql("SELECT alive FROM node WHERE incarnation = 1") == "t");
}

TEST_CASE("the events of an attempt are in the order of its nodes, not of numbers or clocks",
          "[P4][P14][fleet][takeover]") {
  TwoNodes fleet;
  fleet.event(1, 900, "one", 3000);
  fleet.event(1, 901, "two", 3001);
  REQUIRE(fleet.takes(fleet.b, 1, 2));
  fleet.event(2, 5, "three", 2000);
  fleet.event(2, 6, "four", 2001);
  // The first node takes it back, with a new incarnation.
  fleet.enter(3, node_a, "1 hour");
  fleet.sql("UPDATE node SET lease_until = now() - interval '1 s' WHERE incarnation = 2");
  Connection a = fleet.connect();
  REQUIRE(fleet.takes(a, 2, 3));
  fleet.event(3, 902, "five", 1000);
  const auto read = read_session(a, "s1");
  REQUIRE(read);
  std::string words;
  for (const auto& one : read->events) words += one.body + " ";
  CHECK(words == "one two three four five ");
  REQUIRE(read->attempts.size() == 1);
  CHECK(read->sessions.at(0).user == "ann");
  // A node that only shows the session has the same order.
  const auto shown = reading::read_session_rows(a, "s1", {}, 1'000'000);
  REQUIRE(shown);
  std::string shown_words;
  for (const auto& one : shown->rows.value().attempts.at(0).events) shown_words += one.body + " ";
  CHECK(shown_words == words);
}

TEST_CASE("turns whose place is not known come first, in the order in which they will get one",
          "[P4][P14][fleet][takeover]") {
  TwoNodes fleet;
  for (const auto& [ordinal, text] : {std::pair(-4, "fourth"), std::pair(-3, "third"),
                                      std::pair(2, "second"), std::pair(1, "first")})
    fleet.turn(ordinal, text);
  const auto taken = read_session(fleet.b, "s1");
  const auto shown = reading::read_session_rows(fleet.b, "s1", {}, 1'000'000);
  REQUIRE(taken);
  REQUIRE(shown);
  std::string taken_words;
  std::string shown_words;
  for (const auto& one : taken->turns) taken_words += one.turn.text + " ";
  for (const auto& one : shown->rows.value().attempts.at(0).turns) shown_words += one.text + " ";
  CHECK(taken_words == "third fourth first second ");
  CHECK(shown_words == taken_words);
}

TEST_CASE("a node that comes back finds what it lost, and its tail reaches the session's home once",
          "[P3][P14][fleet][takeover]") {
  TwoNodes fleet;
  REQUIRE(fleet.takes(fleet.b, 1, 2));
  fleet.enter(3, node_a, "1 hour");
  Connection a = fleet.connect();
  const auto lost = find_lost(a, {"s1", "unknown"}, 3);
  REQUIRE(lost);
  REQUIRE(lost->size() == 1);
  CHECK(lost->front().session_id == "s1");
  CHECK(lost->front().shipped == 7);
  CHECK(find_lost(a, {}, 3)->size() == 1);  // its store may have lost it
  CHECK(find_lost(fleet.b, {"s1"}, 2)->empty());
  const std::vector<store::AttemptName> attempts = {{"s1", 1}, {"s1", 2}};
  CHECK(find_pending(fleet.b, attempts).value() == std::vector<store::AttemptName>{{"s1", 1}});
  CHECK(find_tails(fleet.b, 2)->empty());
  REQUIRE(leave_tails(a, lost->front(), {{{"s1", 1}, {}, "words"}}, 3));
  CHECK(find_lost(a, {}, 3)->empty());
  const auto tails = find_tails(fleet.b, 2);
  REQUIRE(tails);
  REQUIRE(tails->size() == 1);
  CHECK(tails->front().turns == "words");
  CHECK(find_tails(a, 3)->empty());
  REQUIRE(remove_tail(fleet.b, tails->front()));
  CHECK(find_pending(fleet.b, attempts)->empty());
}

TEST_CASE("a node that comes back finds a session of which it has no tail, too",
          "[P10][P14][fleet][takeover]") {
  TwoNodes fleet;
  fleet.sql("UPDATE attempt SET ended_at = 9");
  REQUIRE(fleet.takes(fleet.b, 1, 2));
  CHECK(fleet.sql("SELECT count(*) FROM tail") == "0");
  fleet.enter(3, node_a, "1 hour");
  Connection a = fleet.connect();
  const auto lost = find_lost(a, {}, 3);
  REQUIRE(lost);
  REQUIRE(lost->size() == 1);
  REQUIRE(leave_tails(a, lost->front(), {}, 3));
  CHECK(find_lost(a, {}, 3)->empty());
  // Taken back, it is not lost.
  fleet.sql("UPDATE node SET lease_until = now() - interval '1 s' WHERE incarnation = 2");
  fleet.sql("INSERT INTO lost SELECT node_id, 's1' FROM node WHERE incarnation = 3");
  REQUIRE(fleet.takes(a, 2, 3));
  CHECK(find_lost(a, {}, 3)->empty());
  CHECK(fleet.sql("SELECT node_id FROM lost") == node_b);
}

TEST_CASE("a node finds an erasure until it has confirmed it, however old it is",
          "[P10][P14][fleet][takeover]") {
  TwoNodes fleet;
  fleet.sql("INSERT INTO erased VALUES ('new', '" + node_b + "', now()), ('old', '" + node_b +
            "', now() - interval '7 days')");
  fleet.sql("INSERT INTO lost VALUES ('" + node_a + "', 'old')");
  fleet.sql("UPDATE node SET alive = false WHERE incarnation = 1");
  fleet.enter(3, node_a, "1 hour");
  Connection a = fleet.connect();
  CHECK(find_erasures(a, true, 3).value() == std::vector<std::string>{"old", "new"});
  CHECK(find_erasures(a, false, 3).value() == std::vector<std::string>{"new"});
  REQUIRE(confirm_erased(a, {"old", "unknown"}, 3));
  CHECK(find_erasures(a, true, 3).value() == std::vector<std::string>{"new"});
  CHECK(fleet.sql("SELECT session, node_id FROM erased_on") == "old|" + node_a);
  CHECK(fleet.sql("SELECT count(*) FROM lost") == "0");
  // One that was fenced confirms nothing.
  fleet.sql("UPDATE node SET alive = false WHERE incarnation = 3");
  REQUIRE(confirm_erased(a, {"new"}, 3));
  CHECK(find_erasures(fleet.b, true, 2)->size() == 2);
  CHECK(fleet.sql("SELECT count(*) FROM erased_on") == "1");
}

TEST_CASE("an erased session begins at a node, and is taken by one, only after it has followed",
          "[P10][P14][fleet][takeover]") {
  TwoNodes fleet;
  fleet.sql("INSERT INTO erased VALUES ('gone', '" + node_a + "')");
  REQUIRE(directory::claim(fleet.b, {"gone"}, 2));
  CHECK(directory::find_homes(fleet.b, {"gone"}, 2)->empty());
  // Its last relay had made it again and is dead.
  fleet.sql("DELETE FROM session; INSERT INTO claim (session, node_id) VALUES ('s1', '" + node_a +
            "'); INSERT INTO erased VALUES ('s1', '" + node_a + "')");
  CHECK_FALSE(fleet.takes(fleet.b, 1, 2));
  REQUIRE(confirm_erased(fleet.b, {"gone", "s1"}, 2));
  CHECK(fleet.takes(fleet.b, 1, 2));
  REQUIRE(directory::claim(fleet.b, {"gone"}, 2));
  CHECK(directory::find_homes(fleet.b, {"gone"}, 2)->size() == 1);
}

TEST_CASE("no receipt waits for the tail of a node that an operator has forgotten",
          "[P14][fleet][takeover]") {
  TwoNodes fleet;
  REQUIRE(fleet.takes(fleet.b, 1, 2));
  const std::vector<store::AttemptName> attempts = {{"s1", 1}};
  REQUIRE(find_pending(fleet.b, attempts)->size() == 1);
  CHECK(reading::forget_node(fleet.b, node_b).value());
  CHECK(find_pending(fleet.b, attempts)->size() == 1);  // it waits for another node
  CHECK(reading::forget_node(fleet.b, node_a).value());
  CHECK(find_pending(fleet.b, attempts)->empty());
  CHECK_FALSE(reading::forget_node(fleet.b, node_a).value());
}

TEST_CASE("a session that is taken from a forgotten node waits for no tail of it",
          "[P14][fleet][takeover]") {
  TwoNodes fleet;
  CHECK(reading::forget_node(fleet.b, node_a).value());
  REQUIRE(fleet.takes(fleet.b, 1, 2));
  CHECK(fleet.home() == node_b);
  CHECK(find_pending(fleet.b, {{"s1", 1}})->empty());
}

TEST_CASE("attempts of a dead node are orphans, those of others are not",
          "[P14][fleet][takeover]") {
  TwoNodes fleet;
  CHECK(find_orphans(fleet.b, 60s)->empty());
  const auto orphans = find_orphans(fleet.b, 500ms);
  REQUIRE(orphans);
  REQUIRE(orphans->size() == 1);
  CHECK(orphans->front().session_id == "s1");
  CHECK(orphans->front().incarnation == 1);
  // Its next start holds a lease, and has not adopted the attempt yet.
  fleet.sql("UPDATE node SET alive = false WHERE incarnation = 1");
  fleet.enter(3, node_a, "1 hour");
  CHECK(find_orphans(fleet.b, 500ms)->empty());
  fleet.sql("DELETE FROM node WHERE incarnation = 3");
  fleet.sql(
      "INSERT INTO attempt (session, number, node_id, owner, status, started_at, model, "
      "complete, gaps, usage, copies, copy_turns, copy_bytes) SELECT session, 2, '" +
      node_b + "', 2, status, started_at, model, complete, gaps, usage, 0, 0, 0 FROM attempt");
  CHECK(find_orphans(fleet.b, 500ms)->size() == 1);
  fleet.sql("UPDATE attempt SET ended_at = 9");
  CHECK(find_orphans(fleet.b, 500ms)->empty());
}

}  // namespace verbatim::ownership
