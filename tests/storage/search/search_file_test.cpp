// The file of the index by itself, and an index that is made for a store of an older version.
#include "storage/search/search_file.hpp"

#include <catch2/catch.hpp>
#include <fstream>
#include <future>
#include <sstream>
#include <thread>

#include "storage/maintenance/recovery.hpp"
#include "storage/sqlite/schema.hpp"
#include "storage/sqlite_store/sqlite_store.hpp"
#include "tests/support/journal_driver.hpp"
#include "tests/support/temp_dir.hpp"

using namespace verbatim;
using namespace verbatim::search;

namespace {

bool has(const std::filesystem::path& file, const std::string& word) {
  std::ifstream stream(file, std::ios::binary);
  std::stringstream bytes;
  bytes << stream.rdbuf();
  return bytes.str().find(word) != std::string::npos;
}

/// Each with words of its own.
void put(SearchFile& index, std::int64_t session, const std::string& word) {
  sqlite::Transaction transaction(index.database());
  index.put(session, "s" + std::to_string(session),
            {{1, 1, 1, "one " + word}, {1, 2, 2, "two " + word}});
  transaction.commit();
}

void erase(SearchFile& index, const std::vector<std::int64_t>& sessions) {
  sqlite::Transaction transaction(index.database());
  index.erase(sessions);
  transaction.commit();
  REQUIRE(index.scrub());
}

/// A store that an older version has written, with one session. It is indexed in the background.
class OlderStore {
 public:
  OlderStore() {
    const auto file = dir_ / "v.db";
    {
      const sqlite::Schema version_8{sqlite::application_id, sqlite::schema_steps().first(8)};
      sqlite::Database old(file, {.access = sqlite::Access::create, .schema = &version_8});
      old.run(
          "INSERT INTO session (id, public_id, user, metadata, created_at) "
          "VALUES (4, 'old', 'ann', '{}', 1);"
          "INSERT INTO attempt (id, session, number, status, started_at, ended_at, close_reason, "
          "model, first_seq) VALUES (9, 4, 1, 3, 1, 2, 1, 'm', 0);"
          "INSERT INTO turn (attempt, item_id, ordinal, role, status, text, reason, deleted, "
          "response_id, writers) VALUES (9, 'i', 1, 1, 1, 'said long ago', '', 0, '', '[]')");
    }
    maintenance::recover(file, 1000);
    sqlite_store::SqliteStoreOptions options;
    options.journal.file = file;
    store_ = std::make_unique<sqlite_store::SqliteStore>(std::move(options), watch_, log_);
  }
  ~OlderStore() { CHECK(store_->shut_down(test::patience)); }
  OlderStore(const OlderStore&) = delete;
  OlderStore& operator=(const OlderStore&) = delete;

  sqlite_store::SqliteStore* operator->() { return store_.get(); }
  std::filesystem::path index() const { return dir_ / "search.index"; }

  /// The answer to a search, once the index is complete.
  store::SessionPage find(const std::string& question) {
    store::SessionFilter filter;
    filter.question = question;
    store::SessionPage page;
    const auto until = std::chrono::steady_clock::now() + test::patience;
    do {
      std::promise<store::SessionPage> answer;
      store_->list_sessions(
          filter, {"a search"},
          [&](store::StoreResult<store::SessionPage> found) { answer.set_value(found.value()); });
      page = answer.get_future().get();
      if (!page.search_complete) std::this_thread::yield();
    } while (!page.search_complete && std::chrono::steady_clock::now() < until);
    return page;
  }

 private:
  const test::TempDir dir_;
  test::JournalWatch watch_;
  Log log_{LogOptions{LogLevel::error}};
  std::unique_ptr<sqlite_store::SqliteStore> store_;
};

}  // namespace

TEST_CASE("erased words are in no page of the index, others stay", "[P10][search]") {
  const test::TempDir dir;
  const auto file = dir / "search.index";
  SearchFile index(file);
  for (int session = 1; session <= 60; ++session)
    put(index, session, "planted" + std::to_string(session) + "x");
  put(index, 5'000, "planted5000x");
  REQUIRE(index.scrub());
  for (const int session : {1, 30, 60, 5'000})
    REQUIRE(has(file, "planted" + std::to_string(session) + "x"));
  erase(index, {30, 5'000});
  for (const auto& one : {file, dir / "search.index-wal"}) {
    CHECK_FALSE(has(one, "planted30x"));
    CHECK_FALSE(has(one, "planted5000x"));
  }
  CHECK(has(file, "planted29x"));
  CHECK(index.rows_named("s30").empty());
  CHECK(index.rows_named("s29") == std::vector<std::int64_t>{29});
}

TEST_CASE("words of an erased session are not those of the next one with its row id",
          "[P10][search]") {
  const test::TempDir dir;
  const auto file = dir / "search.index";
  SearchFile index(file);
  put(index, 7, "plantedfirst");
  {
    sqlite::Transaction transaction(index.database());
    index.put(7, "another", {{1, 1, 1, "plantedsecond"}});
    transaction.commit();
  }
  REQUIRE(index.scrub());
  CHECK_FALSE(has(file, "plantedfirst"));
  CHECK(has(file, "plantedsecond"));
  CHECK(index.rows_named("s7").empty());
}

TEST_CASE("a file that cannot be used is replaced, and one in use by this version is not",
          "[search]") {
  const test::TempDir dir;
  const auto file = dir / "search.index";
  {
    SearchFile index(file);
    index.move_to({"store", 9});
  }
  CHECK(SearchFile(file).position().up_to == 9);
  for (const char* const end : {"-wal", "-shm"}) std::filesystem::remove(file.string() + end);
  SECTION("not a database") { std::ofstream(file) << "this is not a database, but long enough"; }
  SECTION("the main database's kind") {
    std::filesystem::remove(file);
    const sqlite::Database main(file, {.access = sqlite::Access::create});
  }
  SECTION("a log without its file") {
    std::ofstream(file.string() + "-wal") << "a log";
    std::filesystem::remove(file);
  }
  SECTION("a later version") {
    SearchFile index(file);
    index.database().run("PRAGMA user_version=99");
  }
  CHECK(SearchFile(file).position().up_to == 0);
}

TEST_CASE("a store of an older version is indexed in the background once it is opened",
          "[P7][search][migration]") {
  OlderStore store;
  const store::SessionPage page = store.find("LONG ago");
  REQUIRE(page.sessions.size() == 1);
  CHECK(page.sessions[0].id == "old");
  CHECK(page.hits[0]->snippet == "said long ago");
}

TEST_CASE("a session that another node has leaves no word in the index of this one",
          "[P10][P14][search]") {
  OlderStore store;
  REQUIRE(store.find("ago").sessions.size() == 1);
  REQUIRE(SearchFile(store.index()).rows_named("old") == std::vector<std::int64_t>{4});
  std::promise<bool> forgotten;
  store->forget_session("old",
                        [&](store::StoreResult<> done) { forgotten.set_value(done.has_value()); });
  REQUIRE(forgotten.get_future().get());
  CHECK(SearchFile(store.index()).rows_named("old").empty());
}
