// Statements of shipping, in a real PostgreSQL.
#include <catch2/catch.hpp>

#include "server/fleet/shipping/batch.hpp"
#include "tests/support/fleet_database.hpp"

namespace verbatim::shipping {
namespace {

const std::string node_a = "11111111-1111-4111-8111-111111111111";
const std::string node_b = "22222222-2222-4222-8222-222222222222";
/// A NUL, half of a surrogate pair, and a byte that no UTF-8 has.
const std::string odd_text("a\0b\xED\xA0\xBD\xFF'", 8);

struct Database : testing::FleetDatabase {
  Sender enter(std::int64_t incarnation, const std::string& node_id) const {
    FleetDatabase::enter(incarnation, node_id, "0 s");
    return {node_id, "run-1", incarnation, std::chrono::seconds(2)};
  }
  /// As after a takeover.
  void move_to(const std::string& node_id) const {
    sql("UPDATE session SET node_id = '" + node_id + "'; UPDATE attempt SET node_id = '" + node_id +
        "'");
  }
};

/// One batch; the error of the database, if any.
DatabaseResult<> ship(Connection& to, const Sender& sender, const store::Shipment& shipment,
                      transcript::Sequence after, transcript::Sequence upto) {
  REQUIRE(to.begin_pipeline());
  REQUIRE(send_rows(to, sender, shipment));
  REQUIRE(send_guard(to, sender, after, upto));
  REQUIRE(to.sync());
  while (true) {
    auto arrived = to.receive();
    if (!arrived) return tl::unexpected(arrived.error());
    if (*arrived && (*arrived)->synced) return {};
  }
}

store::ShippedAttempt attempt_of(const store::AttemptName& name) {
  store::ShippedAttempt attempt;
  attempt.name = name;
  attempt.status = 1;
  attempt.started_at = 5;
  attempt.model = "m";
  attempt.gaps_json = attempt.usage_json = "[]";
  return attempt;
}

store::Shipment conversation(const std::string& session) {
  store::Shipment out;
  const store::AttemptName name{session, 1};
  store::ShippedSession row;
  row.id = session;
  row.user = odd_text;
  row.metadata_json = "{}";
  row.private_json = "{}";
  row.tokens = {"ek_1", "ek_2"};
  out.sessions = {row};
  out.attempts = {attempt_of(name)};
  out.attempt_names = {name};
  out.events = {{1, 0, 10, odd_text}, {2, 0, 11, "two"}};
  store::ShippedTurn turn;
  turn.item_id = "item";
  turn.text = odd_text;
  turn.heard_ms = 7;
  out.turns = {{name, turn}};
  out.copies = {{name, 1, "agent", 12, odd_text}};
  store::ShippedMessage message;
  message.id = "msg_1";
  message.attempt = name;
  message.deliveries = {{"crm", 0, 1, 0, 13, "late"}, {"log", 1, 1, 0, 13, ""}};
  out.messages = {message};
  store::ShippedToken token;
  token.id = "ek_1";
  token.session_id = session;
  token.session_config = token.terms_json = token.private_json = "{}";
  out.tokens = {token};
  return out;
}

std::string counts(const Database& database) {
  return database.sql(
      "SELECT (SELECT count(*) FROM session), (SELECT count(*) FROM attempt), "
      "(SELECT count(*) FROM event), (SELECT count(*) FROM turn), (SELECT count(*) FROM copy), "
      "(SELECT count(*) FROM message), (SELECT count(*) FROM delivery), "
      "(SELECT count(*) FROM client_secret)");
}

}  // namespace

TEST_CASE("a shipment's rows are in the database with every byte, and repeated change nothing",
          "[P14][fleet]") {
  const Database database;
  Connection connection = database.prepared();
  const Sender sender = database.enter(1, node_a);
  const store::Shipment shipment = conversation("s1");
  REQUIRE(ship(connection, sender, shipment, 0, 2));
  const std::string all =
      "SELECT * FROM event ORDER BY seq; SELECT * FROM turn; SELECT * FROM copy; "
      "SELECT * FROM session; SELECT * FROM attempt; SELECT * FROM message; "
      "SELECT * FROM delivery ORDER BY target; SELECT * FROM client_secret";
  const std::string before = database.sql(all);
  CHECK(counts(database) == "1|1|2|1|1|1|2|1");
  CHECK(database.sql("SELECT body FROM event WHERE seq = 1") == "\\x610062eda0bdff27");
  CHECK(database.sql("SELECT text FROM turn") == "\\x610062eda0bdff27");
  CHECK(database.sql("SELECT tokens FROM session") == "{ek_1,ek_2}");
  CHECK(database.sql("SELECT shipped FROM node") == "2");
  Connection again = database.connect();
  REQUIRE(ship(again, sender, shipment, 0, 2));
  CHECK(database.sql(all) == before);
}

TEST_CASE("the batch of a fenced relay is undone whole", "[P14][fleet]") {
  const Database database;
  Connection connection = database.prepared();
  const Sender sender = database.enter(1, node_a);
  database.sql("UPDATE node SET alive = false");
  const auto sent = ship(connection, sender, conversation("s1"), 0, 2);
  REQUIRE_FALSE(sent);
  CHECK(sent.error().sqlstate == "23502");
  CHECK(counts(database) == "0|0|0|0|0|0|0|0");
}

TEST_CASE("a batch is undone if the one before it is missing", "[P14][fleet]") {
  const Database database;
  Connection connection = database.prepared();
  const Sender sender = database.enter(1, node_a);
  REQUIRE_FALSE(ship(connection, sender, conversation("s1"), 2, 4));
  CHECK(counts(database) == "0|0|0|0|0|0|0|0");
  Connection next = database.connect();
  REQUIRE(ship(next, sender, conversation("s1"), 0, 4));
  CHECK(database.sql("SELECT shipped FROM node") == "4");
}

TEST_CASE("the watermark and an attempt that has ended never go back", "[P14][fleet]") {
  const Database database;
  Connection connection = database.prepared();
  const Sender sender = database.enter(1, node_a);
  store::Shipment ended = conversation("s1");
  ended.attempts[0].ended_at = 99;
  ended.attempts[0].status = 3;
  REQUIRE(ship(connection, sender, ended, 0, 9));
  Connection late = database.connect();
  REQUIRE(ship(late, sender, conversation("s1"), 0, 2));
  CHECK(database.sql("SELECT ended_at, status FROM attempt") == "99|3");
  CHECK(database.sql("SELECT shipped FROM node") == "9");
}

TEST_CASE("the record of an attempt replaces its turns and its events", "[P14][fleet]") {
  const Database database;
  Connection connection = database.prepared();
  const Sender sender = database.enter(1, node_a);
  REQUIRE(ship(connection, sender, conversation("s1"), 0, 2));
  const store::AttemptName name{"s1", 1};
  store::Shipment end;
  end.attempts = {attempt_of(name)};
  end.attempts[0].ended_at = 99;
  store::ShippedRecord record;
  record.attempt = name;
  for (const char* item : {"one", "two"}) {
    store::ShippedTurn turn;
    turn.item_id = item;
    turn.ordinal = static_cast<int>(record.turns.size()) + 1;
    record.turns.push_back(turn);
  }
  store::ShippedToolCall call;
  call.number = 1;
  call.output = odd_text;
  record.tool_calls = {call};
  end.records = {record};
  Connection next = database.connect();
  REQUIRE(ship(next, sender, end, 2, 3));
  CHECK(database.sql("SELECT string_agg(convert_from(item_id, 'UTF8'), ',' ORDER BY ordinal) "
                     "FROM turn") == "one,two");
  CHECK(database.sql("SELECT count(*) FROM event") == "0");
  CHECK(database.sql("SELECT output FROM tool_call") == "\\x610062eda0bdff27");
}

TEST_CASE("a relay that has lost a session to another erases its own copy alone",
          "[P3][P14][fleet]") {
  const Database database;
  Connection connection = database.prepared();
  const Sender a = database.enter(1, node_a);
  database.enter(2, node_b);
  REQUIRE(ship(connection, a, conversation("s1"), 0, 2));
  database.move_to(node_b);
  // Its retention: the session, its message and the token that was made for it.
  store::Shipment erasure;
  erasure.erased = {"s1"};
  store::ShippedMessage message;
  message.id = "msg_1";
  message.gone = true;
  erasure.messages = {message};
  store::ShippedToken forgotten = conversation("s1").tokens[0];
  forgotten.session_id.clear();
  forgotten.revoked_at = 0;
  erasure.tokens = {forgotten};
  Connection stale = database.connect();
  REQUIRE(ship(stale, a, erasure, 2, 3));
  CHECK(counts(database) == "1|1|2|1|1|1|2|1");
  CHECK(database.sql("SELECT count(*) FROM erased") == "0");
  CHECK(database.sql("SELECT count(*) FROM erased_on") == "0");
  CHECK(database.sql("SELECT session, revoked_at IS NULL FROM client_secret") == "s1|t");
  erasure = {};
  forgotten.gone = true;
  erasure.tokens = {forgotten};
  Connection later = database.connect();
  REQUIRE(ship(later, a, erasure, 3, 4));
  CHECK(database.sql("SELECT count(*) FROM client_secret") == "1");
}

TEST_CASE("a session that its relay has only claimed is not erased by another",
          "[P3][P14][fleet]") {
  const Database database;
  Connection connection = database.prepared();
  const Sender a = database.enter(1, node_a);
  database.sql("INSERT INTO claim (session, node_id) VALUES ('s1', '" + node_b + "')");
  store::Shipment erasure;
  erasure.erased = {"s1"};
  REQUIRE(ship(connection, a, erasure, 0, 1));
  CHECK(database.sql("SELECT count(*) FROM erased") == "0");
}

TEST_CASE("a relay that has lost a session leaves its rows there, but a copy that only it has",
          "[P3][P14][fleet]") {
  const Database database;
  Connection connection = database.prepared();
  const Sender a = database.enter(1, node_a);
  database.enter(2, node_b);
  REQUIRE(ship(connection, a, conversation("s1"), 0, 2));
  database.move_to(node_b);
  store::Shipment stale = conversation("s1");
  stale.attempts = {attempt_of({"s1", 2})};
  stale.attempt_names = {{"s1", 2}};
  stale.turns[0].attempt.number = 2;
  stale.copies[0].body = "another";
  stale.messages[0].done_at = 7;
  stale.messages[0].deliveries[0].state = 2;
  Connection again = database.connect();
  REQUIRE(ship(again, a, stale, 0, 2));
  CHECK(counts(database) == "1|1|2|1|2|1|2|1");
  CHECK(database.sql("SELECT done_at IS NULL FROM message") == "t");
  CHECK(database.sql("SELECT state FROM delivery WHERE target = 'crm'") == "0");
  CHECK(database.sql("SELECT body FROM copy WHERE untaken") == "\\x616e6f74686572");
}

TEST_CASE("an erased session does not come back from a relay that has not followed",
          "[P14][P10][fleet]") {
  const Database database;
  Connection connection = database.prepared();
  const Sender a = database.enter(1, node_a);
  const Sender b = database.enter(2, node_b);
  REQUIRE(ship(connection, a, conversation("s1"), 0, 2));
  database.move_to(node_b);
  store::Shipment erasure;
  erasure.erased = {"s1"};
  Connection home = database.connect();
  REQUIRE(ship(home, b, erasure, 0, 1));
  CHECK(counts(database) == "0|0|0|0|0|0|0|1");
  CHECK(database.sql("SELECT session, node_id FROM erased") == "s1|" + node_b);
  CHECK(database.sql("SELECT session, node_id FROM erased_on") == "s1|" + node_b);
  Connection again = database.connect();
  REQUIRE(ship(again, a, conversation("s1"), 0, 2));
  CHECK(counts(database) == "0|0|0|0|0|0|0|1");
  // Once it has followed, what it has of the session is new.
  Connection followed = database.connect();
  REQUIRE(ship(followed, a, erasure, 2, 3));
  CHECK(database.sql("SELECT count(*) FROM erased_on") == "2");
  CHECK(database.sql("SELECT node_id FROM erased") == node_b);
  Connection anew = database.connect();
  REQUIRE(ship(anew, a, conversation("s1"), 3, 4));
  CHECK(counts(database) == "1|1|2|1|1|1|2|1");
  CHECK(database.sql("SELECT count(*) FROM erased") == "1");
  // Erased a second time, all others must follow again.
  Connection last = database.connect();
  REQUIRE(ship(last, a, erasure, 4, 5));
  CHECK(counts(database) == "0|0|0|0|0|0|0|1");
  CHECK(database.sql("SELECT session, node_id FROM erased_on") == "s1|" + node_a);
}

TEST_CASE("a session that this relay has erased can be made again", "[P14][fleet]") {
  const Database database;
  Connection connection = database.prepared();
  const Sender sender = database.enter(1, node_a);
  store::Shipment shipment = conversation("s1");
  shipment.erased = {"s1"};
  REQUIRE(ship(connection, sender, shipment, 0, 2));
  CHECK(counts(database) == "1|1|2|1|1|1|2|1");
}

TEST_CASE("a relay leaves the attempt of another one as it is", "[P14][fleet]") {
  const Database database;
  Connection connection = database.prepared();
  const Sender a = database.enter(1, node_a);
  const Sender b = database.enter(2, node_b);
  REQUIRE(ship(connection, a, conversation("s1"), 0, 2));
  store::Shipment foreign = conversation("s1");
  foreign.attempts[0].model = "other";
  foreign.turns[0].turn.text = "other";
  foreign.events = {{7, 0, 10, "other"}};
  foreign.records = {{{"s1", 1}, {}, {}}};
  Connection other = database.connect();
  REQUIRE(ship(other, b, foreign, 0, 7));
  CHECK(database.sql("SELECT convert_from(model, 'UTF8') FROM attempt") == "m");
  CHECK(database.sql("SELECT count(*), max(seq) FROM event") == "2|2");
  CHECK(database.sql("SELECT text FROM turn") == "\\x610062eda0bdff27");
}

TEST_CASE(
    "the tables are made once, and those of a later version or of another program are refused",
    "[P14][fleet]") {
  const Database database;
  {
    Connection one = database.prepared();
    Connection two = database.prepared();
  }
  database.sql("UPDATE verbatim_schema SET version = 99, oldest = 98");
  Connection old = database.connect();
  const auto refused = prepare_schema(old);
  REQUIRE_FALSE(refused);
  CHECK(refused.error().trouble == Trouble::newer_schema);
  CHECK_THAT(refused.error().message, Catch::Contains("later version of Verbatim (schema 99"));
  database.sql("UPDATE verbatim_schema SET oldest = 1");
  Connection compatible = database.connect();
  CHECK(prepare_schema(compatible));

  const Database taken;
  taken.sql("CREATE TABLE session (x int)");
  Connection foreign = taken.connect();
  const auto collided = prepare_schema(foreign);
  REQUIRE_FALSE(collided);
  CHECK(collided.error().trouble == Trouble::foreign);
  CHECK(taken.sql("SELECT to_regclass('node') IS NULL") == "t");
}

TEST_CASE("a connection that fails says why in words of its own", "[P14][fleet]") {
  const Database database;
  database.sql("CREATE ROLE nothing LOGIN");
  const auto trouble_of = [&](const std::string& url) {
    const auto opened = Connection::open(testing::fleet_settings(url), "test", -1);
    return opened ? std::string("none") : std::string(to_string(opened.error().trouble));
  };
  CHECK(trouble_of(database.server.url("absent")) == "refused");
  CHECK(trouble_of(database.server.url(database.name, "stranger")) == "refused");
  CHECK(trouble_of("postgresql://relay@127.0.0.1:1/x") == "unreachable");
  // A member that answers explains more than one that does not; one that works is enough.
  CHECK(trouble_of("postgresql://relay@127.0.0.1:1,127.0.0.1:2/x") == "unreachable");
  std::string both = database.server.url(database.name);
  both.replace(both.find('@') + 1, 0, "127.0.0.1:1,");
  CHECK(trouble_of(both) == "none");

  auto without_rights = Connection::open(
      testing::fleet_settings(database.server.url(database.name, "nothing")), "test", -1);
  REQUIRE(without_rights);
  const auto refused = prepare_schema(*without_rights);
  REQUIRE_FALSE(refused);
  CHECK(refused.error().trouble == Trouble::refused);

  database.sql("ALTER DATABASE " + database.name + " SET default_transaction_read_only = on");
  CHECK(trouble_of(database.server.url(database.name)) == "not_writable");
}

}  // namespace verbatim::shipping
