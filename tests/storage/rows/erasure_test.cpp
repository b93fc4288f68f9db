// Erased text is in no file, even where its rows were mixed with those of conversations that
// continue.
#include <catch2/catch.hpp>
#include <filesystem>
#include <fstream>
#include <iterator>
#include <string>
#include <vector>

#include "storage/rows/copies.hpp"
#include "storage/rows/transcript_store.hpp"
#include "storage/sqlite/database.hpp"
#include "storage/sqlite/page_gap.hpp"
#include "tests/support/journal_driver.hpp"
#include "tests/support/temp_dir.hpp"

using namespace verbatim;
using namespace verbatim::test;
using journal::SqliteJournal;
using sqlite::Database;

namespace {

namespace fs = std::filesystem;

const std::string secret = "planted";

/// Counts the occurrences of a text in the files of this folder.
std::size_t traces(const fs::path& folder) {
  std::size_t count = 0;
  for (const auto& entry : fs::directory_iterator(folder)) {
    std::ifstream in(entry.path(), std::ios::binary);
    const std::string bytes{std::istreambuf_iterator<char>(in), {}};
    for (auto at = bytes.find(secret); at != bytes.npos; at = bytes.find(secret, at + 1)) ++count;
  }
  return count;
}

/// Conversations whose rows are mixed, each row a few words.
class Crowd {
 public:
  Crowd(SqliteJournal& journal, JournalWatch& watch, int people, std::size_t padding)
      : journal_(journal), watch_(watch), padding_(padding) {
    for (int i = 0; i < people; ++i) {
      const std::string id = "s" + std::to_string(i);
      attempts_.push_back(
          open_attempt(journal, {.session_id = id, .user = "ann", .now = 1}).attempt.attempt);
    }
  }

  /// All of these except the last are to be erased.
  std::string words(int person) const {
    return person + 1 < static_cast<int>(attempts_.size())
               ? secret + std::to_string(100000 + said_)
               : "another" + std::to_string(100000 + said_);
  }

  /// Each conversation adds a row; every few rounds a turn ends.
  void talk(int rounds, int first) {
    transcript::Sequence last = 0;
    for (int round = 0; round < rounds; ++round, ++said_) {
      for (int i = first; i < static_cast<int>(attempts_.size()); ++i) {
        const auto attempt = attempts_[static_cast<std::size_t>(i)];
        const std::string item = "i" + std::to_string(said_ / 4);
        last = journal_.append(attempt, said_, delta(item, words(i) + std::string(padding_, '.')));
        if (said_ % 4 == 3) last = journal_.settle(attempt, turn_of(i, 0));
      }
      if (said_ % 64 == 0) REQUIRE(watch_.wait_durable(last));
    }
    REQUIRE(watch_.wait_durable(last));
  }

  void end(int person, int turns) {
    transcript::Ending ending{transcript::CloseReason::client_closed, 2000, {}};
    for (int i = 0; i < turns; ++i) {
      ending.transcript.turns.push_back(turn_of(person, i + 1));
      ending.transcript.turns.back().item_id = "i" + std::to_string(i);
    }
    REQUIRE(
        watch_.wait_durable(journal_.close(attempts_[static_cast<std::size_t>(person)], ending)));
  }

  transcript::AttemptId attempt(int person) const {
    return attempts_[static_cast<std::size_t>(person)];
  }

 private:
  transcript::Turn turn_of(int person, int ordinal) const {
    return turn(ordinal, "i" + std::to_string(said_ / 4), words(person) + " and so on");
  }

  SqliteJournal& journal_;
  JournalWatch& watch_;
  const std::size_t padding_;
  std::vector<transcript::AttemptId> attempts_;
  int said_ = 0;
};

void post(SqliteJournal& journal, const std::string& id, const std::string& writer,
          const std::string& words) {
  store::PostedCopy posted;
  posted.session_id = id;
  posted.now = 5;
  transcript::CopyTurn said;
  said.role = transcript::Role::user;
  said.text = Text::from_wtf8(words);
  posted.copy = {writer, {said}};
  REQUIRE_FALSE(
      execute(journal, [posted](Database& database) { rows::keep_copy(database, posted); }));
}

}  // namespace

TEST_CASE("erased text is in no file, also while other conversations continue without a pause",
          "[P10][erase]") {
  // Each erasure moves rows of conversations that are erased later, differently for each row size.
  const std::size_t padding = GENERATE(range<std::size_t>(0, 60, 4));
  constexpr int people = 3;
  const TempDir dir;
  JournalWatch watch;
  {
    SqliteJournal journal({.file = dir / "v.db"}, watch);
    Crowd crowd(journal, watch, people, padding);
    crowd.talk(600, 0);
    for (int i = 0; i < 30; ++i) {
      post(journal, "s" + std::to_string(i % people), "w" + std::to_string(i),
           (i % people == people - 1 ? "other" : secret) + std::to_string(i));
    }
    for (int person = 0; person < people - 1; ++person) crowd.end(person, 50);
    REQUIRE(traces(dir.path()) > 0);
    for (int person = 0; person < people - 1; ++person) {
      REQUIRE_FALSE(execute(journal, [person](Database& database) {
        REQUIRE(rows::erase_session(database, "s" + std::to_string(person)));
      }));
    }
    CHECK(becomes([&] {
      crowd.talk(1, people - 1);
      return traces(dir.path()) == 0;
    }));
    // Pages that were in memory do not bring it back.
    for (int i = 0; i < 8; ++i) {
      crowd.talk(8, people - 1);
      CHECK(traces(dir.path()) == 0);
    }
  }
  CHECK(traces(dir.path()) == 0);
  Database database(dir / "v.db");
  auto sound = database.query("PRAGMA integrity_check");
  REQUIRE(sound.step());
  CHECK(sound.text(0) == "ok");
}

TEST_CASE("the gap of a b-tree page is emptied, and nothing else in the page", "[P10][erase]") {
  const auto page_with = [](unsigned char kind, std::size_t header) {
    std::vector<unsigned char> page(4096, 'x');
    const auto put = [&page](std::size_t at, unsigned value) {
      page[at] = static_cast<unsigned char>(value >> 8);
      page[at + 1] = static_cast<unsigned char>(value);
    };
    page[header] = kind;
    put(header + 1, 0);
    put(header + 3, 2);
    put(header + 5, 4000);
    page[header + 7] = 0;
    const std::size_t list = header + (kind >= 10 ? 8 : 12);
    put(list, 4050);
    put(list + 2, 4000);
    return page;
  };
  for (const unsigned char kind : {2, 5, 10, 13}) {
    for (const bool at_start : {false, true}) {
      auto page = page_with(kind, at_start ? 100 : 0);
      const auto before = page;
      const std::size_t gap = (at_start ? 100 : 0) + (kind >= 10 ? 8U : 12U) + 4;
      REQUIRE(sqlite::empty_gap(page, at_start));
      CHECK(std::equal(page.begin(), page.begin() + static_cast<std::ptrdiff_t>(gap),
                       before.begin()));
      CHECK(std::count(page.begin() + static_cast<std::ptrdiff_t>(gap), page.begin() + 4000, 0) ==
            static_cast<std::ptrdiff_t>(4000 - gap));
      CHECK(std::equal(page.begin() + 4000, page.end(), before.begin() + 4000));
      CHECK_FALSE(sqlite::empty_gap(page, at_start));
    }
  }
  const auto unchanged = [&](std::size_t at, unsigned char value) {
    auto page = page_with(13, 0);
    page[at] = value;
    const auto before = page;
    return !sqlite::empty_gap(page, false) && page == before;
  };
  CHECK(unchanged(0, 0));     // an overflow page, or a free one
  CHECK(unchanged(0, 1));     // a kind that does not exist
  CHECK(unchanged(3, 0xFF));  // more cells than fit
  CHECK(unchanged(5, 0xFF));  // cells that begin after the page
  CHECK(unchanged(8, 0));     // a cell in the gap
  CHECK(unchanged(8, 0xFF));  // a cell after the page
}
