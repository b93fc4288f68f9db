// Sessions read from a real PostgreSQL, beside the store that shipped them.
#include <catch2/catch.hpp>

#include "server/fleet/database/schema.hpp"
#include "server/fleet/reading/copy_posts.hpp"
#include "server/fleet/reading/database_store.hpp"
#include "server/fleet/reading/node_list.hpp"
#include "server/fleet/shipping/batch.hpp"
#include "storage/rows/live_tail.hpp"
#include "storage/sqlite_store/sqlite_image.hpp"
#include "tests/support/fleet_database.hpp"
#include "tests/support/shipped_store.hpp"

namespace verbatim::reading {
namespace {

using database::Connection;
using transcript::SessionStatus;

const std::string node_a = "11111111-1111-4111-8111-111111111111";

/// For DatabaseStore::compute().
class NoMerger final : public store::CopyStore {
 public:
  void compute(store::MergeLane, store::ReadLabel, std::function<void()> work) override { work(); }
  void keep_copy(store::PostedCopy, store::Done<store::KeptCopy>) override {}
  void merge_copy(store::KeptCopy, std::string, store::ReadLabel,
                  store::Done<std::optional<store::PostOutcome>>) override {}
};

/// A node's store, and the fleet's database that it ships to.
class Site : public testing::FleetDatabase {
 public:
  Site() : connection_(prepared()) {
    enter(1, node_a);
    require(connection_.begin_pipeline());
  }

  /// Sends everything that the database lacks.
  void ship() {
    it.sync();
    while (true) {
      const auto shipment = it.shipping->read_shipment(shipped_, {}, false);
      REQUIRE(shipment);
      if (!shipment->empty()) {
        require(shipping::send_rows(connection_, sender_, *shipment));
        require(shipping::send_guard(connection_, sender_, sent_, shipment->upto));
        require(connection_.sync());
        wait_for_sync();
        sent_ = shipment->upto;
      }
      shipped_ = std::max(shipped_, shipment->upto);
      if (!shipment->more) return;
    }
  }

  template <class T, class Call>
  T read(const Call& call) {
    auto found = test::ask<T>(call);
    if (!found) FAIL(found.error().what());
    return *std::move(found);
  }
  store::SessionPage list(const store::SessionFilter& filter) {
    return read<store::SessionPage>([&](auto done) { all.list_sessions(filter, {}, done); });
  }
  std::optional<store::TranscriptViews> transcripts(const store::TranscriptRequest& request) {
    using Found = std::optional<store::TranscriptViews>;
    return read<Found>([&](auto done) { all.read_transcripts(request, {}, done); });
  }
  std::optional<store::SessionSummary> session(const std::string& id) {
    using Found = std::optional<store::SessionSummary>;
    return read<Found>([&](auto done) { all.find_session(id, {}, done); });
  }
  store::StoreResult<store::KeptCopy> post(const store::PostedCopy& posted) {
    return test::ask<store::KeptCopy>([&](auto done) { all.keep_copy(posted, done); });
  }
  store::PostOutcome outcome(const store::KeptCopy& kept) {
    using Found = std::optional<store::PostOutcome>;
    const auto found = read<Found>([&](auto done) { all.merge_copy(kept, "", {}, done); });
    REQUIRE(found);
    return *found;
  }

  test::Shipped it;
  Log log{{LogLevel::error, LogFormat::text, 10}, [](std::string) { return std::string(); }};
  NoMerger merger;
  DatabaseStore all{
      {settings, sqlite_store::SqliteImage::open, merger, [](std::chrono::milliseconds) {}, log}};

 private:
  template <class Result>
  static void require(const Result& result) {
    if (!result) FAIL(result.error().message);
  }
  void wait_for_sync() {
    while (true) {
      auto arrived = connection_.receive();
      require(arrived);
      if (*arrived && (*arrived)->synced) return;
    }
  }

  Connection connection_;
  const shipping::Sender sender_{node_a, "run-1", 1, std::chrono::seconds(2)};
  transcript::Sequence shipped_ = 0;  ///< read up to here
  transcript::Sequence sent_ = 0;     ///< in the database
};

std::string show(const store::AttemptSummary& one, bool in_list) {
  std::string text = test::ShipmentModel::line(
      one.number, static_cast<int>(one.status), one.started_at, one.ended_at,
      one.close_reason ? static_cast<int>(*one.close_reason) : -1, one.complete, one.model,
      one.turns, one.usage_json);
  if (!in_list && one.receipt) text += transcript::render_receipt(*one.receipt);
  return text + "\n";
}

std::string show(const store::SessionSummary& one, bool in_list) {
  std::string text =
      test::ShipmentModel::line(one.id, one.user, one.metadata_json, one.private_json,
                                static_cast<int>(one.status), one.created_at);
  for (const store::AttemptSummary& attempt : one.attempts) text += show(attempt, in_list);
  return text + "\n";
}

std::string show(const store::SessionPage& page) {
  std::string text;
  for (const store::SessionSummary& one : page.sessions) text += show(one, true);
  return text + (page.next_cursor.empty() ? "the end" : "more") +
         (page.total ? std::to_string(*page.total) : "");
}

/// Removes the mark of a running attempt. Returns whether there was one.
bool take_mark(transcript::TranscriptView& view) {
  return std::erase_if(view.gaps, [](const transcript::Gap& gap) {
           return gap.kind == transcript::GapKind::tail_pending;
         }) == 1;
}

store::PostedCopy copy_of(const std::string& session, const std::string& writer,
                          const std::string& text, TimeMs now) {
  store::PostedCopy posted;
  posted.session_id = session;
  posted.copy.writer = writer;
  transcript::CopyTurn said;
  said.text = Text::from_wtf8(text);
  posted.copy.turns.push_back(said);
  posted.now = now;
  return posted;
}

TEST_CASE("an incarnation names its node, also if the id of another begins with it", "[P14]") {
  relay::FleetNode first;
  first.node_id = "2a000000-0000-4000-8000-000000000000";
  first.incarnation = 1;
  first.url = "ws://10.0.0.1:8081";
  relay::FleetNode second;
  second.node_id = "1b000000-0000-4000-8000-000000000000";
  second.incarnation = 2;
  const relay::Fleet fleet{{first, second}, 1};
  const auto named = [&](const std::string& name) {
    std::vector<std::int64_t> found;
    for (const relay::FleetNode& node : nodes_named(fleet, name)) found.push_back(node.incarnation);
    return found;
  };
  using Found = std::vector<std::int64_t>;
  CHECK(named("1") == Found{1});
  CHECK(named("2") == Found{2});
  CHECK(named(first.url) == Found{1});
  CHECK(named(second.node_id) == Found{2});
  CHECK(named("1b000000") == Found{2});
  CHECK(named("1b00000").empty());
  CHECK(named("3").empty());
}

}  // namespace

TEST_CASE("the database has every session as its node shows it, in lists and in every form",
          "[P14][fleet]") {
  Site site;
  const unsigned seed = GENERATE(1u, 2u, 3u);
  INFO("seed " << seed);
  test::Life life(site.it, seed);
  for (int step = 0; step < 160; ++step) {
    life.step();
    site.ship();
  }
  site.it.journal->append(site.it.begin("running"), 2000, test::delta("i1", "so far"));
  site.ship();
  // A store lists by row, the database by time: the clock of these sessions goes on with the rows.
  site.it.change([](sqlite::Database& database) {
    database.query("UPDATE session SET created_at = 900 + 10 * id").run();
  });
  rows::TranscriptStore own(site.it.file());
  for (const store::SessionSummary& one : own.list({.limit = 100}).sessions)
    site.sql("UPDATE session SET created_at = " + std::to_string(one.created_at) + " WHERE id = '" +
             one.id + "'");

  SECTION("each session") {
    const auto page = own.list({.limit = 100});
    REQUIRE(page.sessions.size() > 5);
    int running = 0;
    int ended = 0;
    for (const store::SessionSummary& one : page.sessions) {
      CHECK(show(site.session(one.id).value(), false) == show(own.session(one.id).value(), false));
      auto there = site.transcripts({one.id, std::nullopt, true}).value();
      const auto here = own.transcripts(one.id).value();
      REQUIRE(there.size() == here.size());
      for (std::size_t i = 0; i < here.size(); ++i) {
        const bool runs =
            here[i].status != SessionStatus::final && here[i].status != SessionStatus::created;
        CHECK(take_mark(there[i]) == runs);
        (runs ? running : ended) += 1;
        for (const char* const form : {"json", "jsonl", "text", "markdown", "vtt", "srt"}) {
          const auto format = transcript::format_from_string(form).value();
          CHECK(transcript::render(there[i], format) == transcript::render(here[i], format));
        }
        auto alone = site.transcripts({one.id, here[i].attempt, false}).value();
        take_mark(alone.front());
        CHECK(test::ShipmentModel::line(transcript::render(alone.front(), {})) ==
              test::ShipmentModel::line(transcript::render(here[i], {})));
      }
    }
    CHECK(running > 0);
    CHECK(ended > 0);
    CHECK_FALSE(site.session("s99"));
    CHECK_FALSE(site.transcripts({"s99", std::nullopt, true}));
    CHECK_FALSE(site.transcripts({page.sessions.front().id, 99, false}));
  }

  SECTION("lists, in every order, by pages") {
    using enum store::SessionSort;
    for (const store::SessionSort sort :
         {created_last, created_first, ended_last, ended_first, user_a_to_z, user_z_to_a}) {
      store::SessionFilter here{.sort = sort, .total = true, .limit = 3};
      store::SessionFilter there = here;
      for (bool more = true; more;) {
        const store::SessionPage expected = own.list(here);
        const store::SessionPage found = site.list(there);
        CHECK(show(found) == show(expected));
        here.cursor = expected.next_cursor;
        there.cursor = found.next_cursor;
        more = !expected.next_cursor.empty() && !found.next_cursor.empty();
      }
    }
  }

  SECTION("lists, with every condition") {
    std::vector<store::SessionFilter> filters(9);
    filters[0].status = SessionStatus::final;
    filters[1].status = SessionStatus::created;
    filters[2].user = "ann";
    filters[3].user = "bob";
    filters[4].since = 950;
    filters[5].until = 950;
    filters[6].metadata = {{"n", "3"}};
    filters[7].metadata = {{"n", "x"}, {"a", "1"}};
    filters[8].metadata = {{std::string("n\0", 2), "3"}};
    for (store::SessionFilter& filter : filters) {
      filter.total = true;
      CHECK(show(site.list(filter)) == show(own.list(filter)));
    }
  }
}

TEST_CASE(
    "metadata of every kind is found in the database as in a store, and any bytes are harmless",
    "[P14][fleet]") {
  Site site;
  const std::vector<std::string> metadata = {
      R"({"level":3,"share":0.5,"paid":true,"late":false,"grade":null,"course":"7","list":[3]})",
      R"({"level":"3","more":{"level":3},"quote":"a\"b'c\\d"})", R"({"nul":"a\u0000b","level":3})",
      R"({"é":"ö","paid":"true"})"};
  for (std::size_t i = 0; i < metadata.size(); ++i)
    site.it.change([&](sqlite::Database& database) {
      rows::create_session(database, {.id = "m" + std::to_string(i),
                                      .user = std::string("\xFF\0'", 3),
                                      .metadata_json = metadata[i],
                                      .now = 100 + static_cast<TimeMs>(i)});
    });
  site.ship();
  rows::TranscriptStore own(site.it.file());
  const std::vector<std::pair<std::string, std::string>> asked = {
      {"share", "0.5"},
      {"paid", "true"},
      {"late", "false"},
      {"grade", "null"},
      {"course", "7"},
      {"list", "[3]"},
      {"more", "{\"level\":3}"},
      {"quote", "a\"b'c\\d"},
      {"é", "ö"},
      {"missing", "null"},
      {"paid", "'; DROP TABLE session"}};
  for (const auto& one : asked) {
    INFO(one.first << "=" << one.second);
    CHECK(show(site.list({.metadata = {one}})) == show(own.list({.metadata = {one}})));
  }
  CHECK(show(site.list({.user = std::string("\xFF\0'", 3)})) == show(own.list({})));
}

TEST_CASE("a running attempt is watched as far as it was shipped, and a mark of its node holds",
          "[P14][fleet]") {
  Site site;
  const auto attempt = site.it.begin("s1");
  site.it.journal->append(attempt, 2000, test::placed("i1", transcript::Role::assistant));
  site.it.journal->append(attempt, 2001, test::delta("i1", "one "));
  site.ship();
  using Found = std::optional<store::TailStart>;
  const auto tail = [&](std::optional<store::TailMark> seen) {
    return site.read<Found>([&](auto done) {
      site.all.start_tail({"s1", std::nullopt, seen}, {}, done);
    });
  };
  const Found first = tail(std::nullopt);
  REQUIRE((first && first->ended));
  CHECK(first->ended->head.status == SessionStatus::live);
  CHECK(first->ended->head.gaps.back().kind == transcript::GapKind::tail_pending);
  REQUIRE(first->ended->turns.size() == 1);
  CHECK(store::unseen(first->ended->turns, nullptr, 0).size() == 1);

  site.it.journal->append(attempt, 2002, test::placed("i2", transcript::Role::assistant));
  site.it.journal->append(attempt, 2003, test::delta("i2", "two"));
  site.ship();
  const Found second = tail(first->ended->mark);
  REQUIRE((second && second->ended));
  CHECK(second->ended->turns.size() == 2);
  const auto fresh = store::unseen(second->ended->turns, nullptr, 0);
  REQUIRE(fresh.size() == 1);
  CHECK(fresh.front()->value.item_id == "i2");
  // The node gives the same numbers.
  rows::TranscriptStore own(site.it.file());
  rows::LiveTail live;
  const auto here = live.look(own.database(), {{{"s1", 1}, first->ended->mark.number}});
  CHECK(here.front().second->mark == second->ended->mark);

  const Found foreign = tail(store::TailMark{1, false, 1'000'000});
  REQUIRE((foreign && foreign->ended));
  CHECK(foreign->foreign_mark);
  CHECK(store::unseen(foreign->ended->turns, nullptr, 0).size() == 2);
  CHECK_FALSE(site.read<Found>([&](auto done) {
    site.all.start_tail({"s2", std::nullopt, std::nullopt}, {}, done);
  }));
}

TEST_CASE("a copy that is posted to the database merges as at its node, which takes it later",
          "[P3][P14][fleet]") {
  Site site;
  const auto attempt = site.it.begin("s1");
  REQUIRE(site.it.watch->wait_durable(site.it.journal->close(attempt, test::ending_with(3, 3000))));
  site.it.change([](sqlite::Database& database) {
    rows::create_session(database, {.id = "s2", .user = "ann", .now = 900});
  });
  site.ship();

  auto posted = copy_of("s1", "agent", "a turn that only the agent has", 5000);
  const auto kept = site.post(posted);
  REQUIRE(kept);
  CHECK(kept->is_new);
  CHECK(kept->attempt_number == 1);
  const store::PostOutcome there = site.outcome(*kept);
  const auto again = site.post(posted);
  REQUIRE(again);
  CHECK_FALSE(again->is_new);
  CHECK(site.outcome(*again).brought.unchanged == 1);
  CHECK(site.sql("SELECT count(*), bool_and(untaken) FROM copy") == "1|t");

  SECTION("limits hold for the copies in the database") {
    auto another = copy_of("s1", "client", "one more", 5001);
    another.limits.copies_max = 1;
    const auto refused = site.post(another);
    REQUIRE_FALSE(refused);
    CHECK(refused.error().failure() == store::Failure::too_many);
    CHECK(site.sql("SELECT count(*) FROM copy") == "1");
    CHECK(site.post(copy_of("s9", "agent", "x", 1)).error().failure() == store::Failure::not_found);
  }

  SECTION("an attempt that no node has begun is made for it") {
    const auto made = site.post(copy_of("s2", "agent", "first", 6000));
    REQUIRE(made);
    CHECK(made->attempt_number == 1);
    const auto session = site.session("s2").value();
    REQUIRE(session.attempts.size() == 1);
    CHECK(session.attempts.front().turns == 1);
    CHECK(session.attempts.front().status == SessionStatus::created);
    CHECK(site.list({.user = "ann"}).sessions.front().attempts.size() == 1);
  }

  SECTION("two posts at once are both kept") {
    DatabaseStore other({site.settings, sqlite_store::SqliteImage::open, site.merger,
                         [](std::chrono::milliseconds) {}, site.log});
    std::vector<std::future<bool>> done;
    for (int i = 0; i < 8; ++i) {
      const auto answer = std::make_shared<std::promise<bool>>();
      done.push_back(answer->get_future());
      (i % 2 ? other : site.all)
          .keep_copy(copy_of("s1", "w" + std::to_string(i), "text " + std::to_string(i), 7000 + i),
                     [answer](auto result) { answer->set_value(result.has_value()); });
    }
    for (auto& one : done) CHECK(one.get());
    CHECK(site.sql("SELECT copies, copy_turns FROM attempt WHERE session = 's1'") == "9|9");
    CHECK(site.sql("SELECT count(*) FROM copy WHERE session = 's1'") == "9");
  }

  SECTION("its node finds it, keeps it, and the database has it as taken") {
    Connection connection = site.connect();
    CHECK(find_left_copies(connection, 2, 10)->empty());
    const auto left = find_left_copies(connection, 1, 10);
    REQUIRE(left);
    REQUIRE(left->size() == 1);
    CHECK(left->front().writer == "agent");
    auto back = posted;
    back.attempt = left->front().attempt.number;
    back.body = left->front().body;
    back.now = left->front().posted_at;
    site.it.change([&](sqlite::Database& database) { rows::keep_copy(database, back); });
    REQUIRE(note_taken(connection, left->front()));
    CHECK(find_left_copies(connection, 1, 10)->empty());
    rows::TranscriptStore own(site.it.file());
    const auto here = own.transcript("s1").value();
    CHECK(here.turns.size() == there.turns);
    const auto stored = site.transcripts({"s1", std::nullopt, false}).value().front();
    CHECK(transcript::render(stored, transcript::Format::json) ==
          transcript::render(here, transcript::Format::json));
    site.ship();
    CHECK(site.sql("SELECT count(*) FROM copy") == "1");
  }
}

TEST_CASE("a database that is away is a value at once, and reads go on when it is back",
          "[P11][P14][fleet]") {
  Site site;
  site.it.begin("s1");
  site.ship();
  const auto find = [&] {
    return test::ask<std::optional<store::SessionSummary>>(
        [&](auto done) { site.all.find_session("s1", {}, done); });
  };
  REQUIRE(find());
  site.server.kill();
  const auto refused = find();
  REQUIRE_FALSE(refused);
  CHECK(refused.error().failure() == store::Failure::fleet_database);
  CHECK_FALSE(
      test::ask<store::SessionPage>([&](auto done) { site.all.list_sessions({}, {}, done); }));
  site.server.start();
  CHECK(test::becomes([&] {
    const auto found = find();
    return found && *found;
  }));
}

TEST_CASE("a session beyond fleet.read_bytes_max is not read into memory", "[P11][P14][fleet]") {
  Site site;
  site.it.begin("s1");
  site.it.change([](sqlite::Database& database) {
    rows::keep_copy(database, copy_of("s1", "agent", std::string(100'000, 'x'), 1));
  });
  site.ship();
  config::Fleet small = site.settings;
  small.read_bytes_max = 50'000;
  DatabaseStore bounded({small, sqlite_store::SqliteImage::open, site.merger,
                         [](std::chrono::milliseconds) {}, site.log});
  const auto refused = test::ask<std::optional<store::TranscriptViews>>([&](auto done) {
    bounded.read_transcripts({"s1", std::nullopt, false}, {}, done);
  });
  REQUIRE_FALSE(refused);
  CHECK_THAT(refused.error().what(), Catch::Contains("read_bytes_max"));
  CHECK(site.transcripts({"s1", std::nullopt, false}));
}

TEST_CASE("the list of nodes has the latest start of each, with its sessions", "[P14][fleet]") {
  Site site;
  site.it.begin("s1");
  site.ship();
  site.sql(
      "INSERT INTO node (incarnation, node_id, run, url, version, schema, alive, fenced_by, "
      "shipped, lease_until) VALUES (2, '22222222-2222-4222-8222-222222222222', 'r', '', '0.9', 1, "
      "false, 3, 7, now() - interval '1 hour')");
  Connection connection = site.connect();
  const auto fleet = list_nodes(connection);
  if (!fleet) FAIL(fleet.error().message);
  CHECK(fleet->schema == database::schema_version());
  REQUIRE(fleet->nodes.size() == 2);
  CHECK(fleet->nodes[0].url == "https://1");
  CHECK(fleet->nodes[0].sessions == 1);
  CHECK(fleet->nodes[0].lease_ms > 0);
  CHECK(fleet->nodes[0].alive);
  CHECK(fleet->nodes[1].version == "0.9");
  CHECK_FALSE(fleet->nodes[1].alive);
  CHECK(fleet->nodes[1].fenced_by == 3);
  CHECK(fleet->nodes[1].lease_ms < -3'000'000);
}

}  // namespace verbatim::reading
