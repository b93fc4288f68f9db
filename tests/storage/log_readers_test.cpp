// Who keeps the log from being written from its beginning is named.
#include "storage/log_readers.hpp"

#include <sys/stat.h>
#include <sys/wait.h>
#include <unistd.h>

#include <catch2/catch.hpp>

#include "tests/support/store_folder.hpp"

using namespace verbatim;
using namespace verbatim::test;

namespace {

namespace fs = std::filesystem;

bool names(const std::vector<storage::LogReader>& readers, pid_t process) {
  return std::any_of(readers.begin(), readers.end(),
                     [&](const storage::LogReader& one) { return one.process == process; });
}

}  // namespace

TEST_CASE("a process that holds a read transaction is named, and no longer once it ends",
          "[P11][log_readers]") {
  const TempDir dir;
  const fs::path file = dir / "v.db";
  leave_killed_store(file);
  storage::Database writer(file);
  CHECK(storage::readers_of_log(file).empty());
  SECTION("another process") {
    // The public tool, as an operator uses it: it says when it has begun.
    const fs::path begun = dir / "begun";
    REQUIRE(::mkfifo((dir / "input").c_str(), 0600) == 0);
    const pid_t other = ::fork();
    if (other == 0) {
      const std::string command = "exec sqlite3 '" + file.string() + "' < '" +
                                  (dir / "input").string() + "' > '" + begun.string() + "'";
      ::execl("/bin/sh", "sh", "-c", command.c_str(), nullptr);
      ::_exit(127);
    }
    {
      std::ofstream input(dir / "input");
      input << "BEGIN; SELECT count(*) FROM session;\n" << std::flush;
      REQUIRE(becomes([&] { return fs::exists(begun) && fs::file_size(begun) > 0; }));
      const auto readers = storage::readers_of_log(file);
      CHECK(names(readers, other));
      REQUIRE(readers.size() == 1);
      CHECK_THAT(in_words(readers.at(0)),
                 Catch::Contains("process " + std::to_string(other)) && Catch::Contains("sqlite3"));
    }
    int status = 0;
    REQUIRE(::waitpid(other, &status, 0) == other);
    CHECK(storage::readers_of_log(file).empty());
  }
  SECTION("this one") {
    {
      storage::Database reader(file, {.access = storage::Access::read_only});
      const storage::Savepoint snapshot(reader);
      REQUIRE(reader.query("SELECT count(*) FROM session").step());
      CHECK(names(storage::readers_of_log(file), ::getpid()));
    }
    CHECK_FALSE(names(storage::readers_of_log(file), ::getpid()));
  }
}
