// The process that keeps SQLite from restarting the WAL is named.
#include "storage/sqlite/log_readers.hpp"

#include <sys/prctl.h>
#include <sys/stat.h>
#include <sys/wait.h>
#include <unistd.h>

#include <catch2/catch.hpp>

#include "tests/support/store_folder.hpp"

using namespace verbatim;
using namespace verbatim::test;

namespace {

namespace fs = std::filesystem;

bool names(const std::vector<sqlite::LogReader>& readers, pid_t process) {
  return std::any_of(readers.begin(), readers.end(),
                     [&](const sqlite::LogReader& one) { return one.process == process; });
}

}  // namespace

TEST_CASE("a process that holds a read transaction is named, and no longer once it ends",
          "[P11][log_readers]") {
  const TempDir dir;
  const fs::path file = dir / "v.db";
  leave_killed_store(file);
  sqlite::Database writer(file);
  CHECK(sqlite::readers_of_log(file).empty());
  SECTION("another process") {
    // The public sqlite3 tool, as an operator uses it; it prints a line when it has begun.
    const fs::path begun = dir / "begun";
    REQUIRE(::mkfifo((dir / "input").c_str(), 0600) == 0);
    const pid_t other = ::fork();
    if (other == 0) {
      // People do pass passwords as arguments.
      const std::string command = "exec sqlite3 -separator hunter2 '" + file.string() + "' < '" +
                                  (dir / "input").string() + "' > '" + begun.string() + "'";
      ::execl("/bin/sh", "sh", "-c", command.c_str(), nullptr);
      ::_exit(127);
    }
    {
      std::ofstream input(dir / "input");
      input << "BEGIN; SELECT count(*) FROM session;\n" << std::flush;
      REQUIRE(becomes([&] { return fs::exists(begun) && fs::file_size(begun) > 0; }));
      const auto readers = sqlite::readers_of_log(file);
      CHECK(names(readers, other));
      REQUIRE(readers.size() == 1);
      CHECK(in_words(readers.at(0)) == "process " + std::to_string(other) + " (sqlite3)");
    }
    int status = 0;
    REQUIRE(::waitpid(other, &status, 0) == other);
    CHECK(sqlite::readers_of_log(file).empty());
  }
  SECTION("another process that has given itself a name") {
    int begun[2];
    int go_on[2];
    REQUIRE(::pipe(begun) == 0);
    REQUIRE(::pipe(go_on) == 0);
    const pid_t other = ::fork();
    if (other == 0) {
      ::prctl(PR_SET_NAME, "a\nb\x1b[2J \x7f");
      sqlite::Database reader(file, {.access = sqlite::Access::read_only});
      const sqlite::Savepoint snapshot(reader);
      reader.query("SELECT count(*) FROM session").step();
      char byte = 'b';
      const bool notified = ::write(begun[1], &byte, 1) == 1;
      ::_exit(notified && ::read(go_on[0], &byte, 1) == 1 ? 0 : 1);
    }
    char byte = 0;
    REQUIRE(::read(begun[0], &byte, 1) == 1);
    const auto readers = sqlite::readers_of_log(file);
    REQUIRE(names(readers, other));
    const std::string words = in_words(readers.at(0));
    CHECK(words == "process " + std::to_string(other) + " (a b [2J)");
    REQUIRE(::write(go_on[1], &byte, 1) == 1);
    int status = 0;
    REQUIRE(::waitpid(other, &status, 0) == other);
    for (const int end : {begun[0], begun[1], go_on[0], go_on[1]}) ::close(end);
  }
  SECTION("this one") {
    {
      sqlite::Database reader(file, {.access = sqlite::Access::read_only});
      const sqlite::Savepoint snapshot(reader);
      REQUIRE(reader.query("SELECT count(*) FROM session").step());
      CHECK(names(sqlite::readers_of_log(file), ::getpid()));
    }
    CHECK_FALSE(names(sqlite::readers_of_log(file), ::getpid()));
  }
}
