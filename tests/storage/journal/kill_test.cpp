// kill -9 of a writer in a process of its own. The child reports each watermark that it gets;
// recovery must find every row up to the last reported one.
#include <fcntl.h>
#include <sys/wait.h>
#include <unistd.h>

#include <csignal>
#include <cstdlib>
#include <sstream>

#include <catch2/catch.hpp>

#include "storage/journal/sqlite_journal.hpp"
#include "storage/maintenance/recovery.hpp"
#include "storage/rows/shipment_reader.hpp"
#include "storage/rows/transcript_store.hpp"
#include "storage/rows/webhook_outbox.hpp"
#include "storage/sqlite_store/sqlite_shipping.hpp"
#include "tests/support/journal_driver.hpp"
#include "tests/support/shipment_model.hpp"
#include "tests/support/store_folder.hpp"

using namespace verbatim;
using namespace verbatim::test;

namespace {

namespace fs = std::filesystem;

constexpr const char* file_variable = "VERBATIM_TEST_JOURNAL";
constexpr int voice = 9;  ///< descriptor of the child's end of the pipe

/// Writes each new watermark to the pipe, counted from the first row.
class Speaker final : public store::JournalListener {
 public:
  void on_durable(transcript::Sequence up_to) override {
    const std::int64_t count = first == 0 ? 0 : static_cast<std::int64_t>(up_to - first) + 1;
    if (count <= 0 || ::write(voice, &count, sizeof count) == sizeof count) return;
    std::_Exit(3);
  }
  void on_failed(store::Failure, const std::string&) override { std::_Exit(4); }
  std::atomic<transcript::Sequence> first{0};
};

struct Child {
  pid_t pid;
  int pipe;
};

Child start_writer(const fs::path& file, const char* which = "[.writer-to-be-killed]") {
  int ends[2];
  REQUIRE(::pipe(ends) == 0);
  const std::string setting = std::string(file_variable) + "=" + file.string();
  const char* const arguments[] = {"storage_tests", which, nullptr};
  const char* const environment[] = {setting.c_str(), nullptr};
  const pid_t pid = ::fork();
  REQUIRE(pid >= 0);
  if (pid == 0) {
    ::dup2(ends[1], voice);
    const int nowhere = ::open("/dev/null", O_WRONLY);
    ::dup2(nowhere, 1);
    ::execve("/proc/self/exe", const_cast<char* const*>(arguments),
             const_cast<char* const*>(environment));
    ::_exit(5);
  }
  ::close(ends[1]);
  return {pid, ends[0]};
}

/// Kills the child after `reports` reports and returns the last one.
std::int64_t kill_after(const Child& child, int reports) {
  std::int64_t said = 0;
  std::int64_t next = 0;
  while (reports > 0 && ::read(child.pipe, &next, sizeof next) == sizeof next) {
    said = next;
    --reports;
  }
  CHECK(reports == 0);
  ::kill(child.pid, SIGKILL);
  while (::read(child.pipe, &next, sizeof next) == sizeof next) said = next;
  ::close(child.pipe);
  int status = 0;
  REQUIRE(::waitpid(child.pid, &status, 0) == child.pid);
  CHECK(WIFSIGNALED(status));
  return said;
}

}  // namespace

TEST_CASE("the writer that the next test kills", "[.writer-to-be-killed]") {
  const char* const file = std::getenv(file_variable);
  if (file == nullptr) return;
  Speaker speaker;
  journal::SqliteJournal journal({.file = file, .queue_bytes_max = 64 * 1024}, speaker);
  const auto opened =
      open_attempt(journal, {.session_id = "s1", .user = "ann", .model = "m", .now = 1});
  const auto attempt = opened.attempt.attempt;
  speaker.first = journal.append(attempt, 2, placed("i1", transcript::Role::assistant)) + 1;
  // Bounded: a child that is not killed ends by itself.
  for (int number = 1; number < 3'000'000;) {
    if (journal.append(attempt, 2 + number, delta("i1", std::to_string(number) + " ")) != 0)
      ++number;
    else
      std::this_thread::yield();
  }
}

TEST_CASE("kill -9 at any moment loses nothing that was reported durable", "[P1][P7][kill]") {
  const int moments[] = {1, 1, 2, 2, 3, 4, 5, 7, 9, 12, 16, 22, 30, 41, 56, 76, 103, 140, 190, 260};
  for (const int reports : moments) {
    const TempDir dir;
    const auto said = kill_after(start_writer(dir / "v.db"), reports);
    INFO("killed after " << reports << " reports, " << said << " numbers");
    CHECK(said > 0);

    const auto report = maintenance::recover(dir / "v.db", 1);
    CHECK_FALSE(report.clean);
    CHECK(report.integrity == "ok");
    CHECK(report.unreadable_rows == 0);
    for (const store::LogFinding& log : report.logs) {
      INFO(log.what);
      CHECK_FALSE(log.lost);  // a kill is not taken for damage
    }
    const auto view = rows::TranscriptStore(dir / "v.db").transcript("s1");
    REQUIRE(view);
    REQUIRE(view->turns.size() == 1);
    CHECK(view->turns[0].status == transcript::TurnStatus::interrupted);
    std::istringstream words(view->turns[0].text.utf8());
    std::int64_t count = 0;
    for (std::int64_t number; words >> number;) REQUIRE(number == ++count);
    CHECK(count >= said);

    const std::string once = bytes_of(dir / "v.db");
    CHECK(maintenance::recover(dir / "v.db", 2).clean);
    CHECK(bytes_of(dir / "v.db") == once);
  }
}

TEST_CASE("the writer with tracked changes that the next test kills",
          "[.tracking-writer-to-be-killed]") {
  const char* const file = std::getenv(file_variable);
  if (file == nullptr) return;
  Speaker speaker;
  speaker.first = 1;
  journal::SqliteJournal journal({.file = file, .track_changes = true}, speaker);
  execute(journal, [](sqlite::Database& database) { rows::want_messages(database, 15); });
  const auto ignore = [](const store::StorageError*) {};
  for (int number = 1; number < 100'000; ++number) {
    const std::string session = "s" + std::to_string(number);
    const auto attempt =
        open_attempt(journal, {.session_id = session, .user = "ann", .model = "m", .now = 1})
            .attempt.attempt;
    for (int i = 0; i < 20; ++i) journal.append(attempt, 2 + i, delta("i1", "word "));
    journal.settle(attempt, turn(0, "i1", "words"));
    journal.execute(
        [session](sqlite::Database& database) {
          rows::patch_metadata(database, session, {R"({"a":1})", "{}"}, 999);
        },
        ignore);
    if (number % 3 == 0) continue;  // stays open
    transcript::Ending ending;
    ending.ended_at = 100;
    ending.transcript.turns.push_back(turn(1, "i1", "words"));
    journal.close(attempt, ending);
    if (number % 5 == 0)
      journal.execute(
          [session](sqlite::Database& database) { rows::erase_session(database, session); },
          ignore);
  }
}

TEST_CASE("kill -9 leaves no change that is neither undone nor marked for a database elsewhere",
          "[P14][kill][shipping]") {
  for (const int reports : {3, 8, 20, 60, 130}) {
    const TempDir dir;
    const fs::path file = dir / "v.db";
    const Child child = start_writer(file, "[.tracking-writer-to-be-killed]");
    INFO("killed after " << reports << " reports");
    // Another process ships meanwhile, by a connection of its own.
    ShipmentModel elsewhere;
    std::int64_t said = 0;
    REQUIRE(::read(child.pipe, &said, sizeof said) == sizeof said);
    {
      sqlite::Database database(file, {.access = sqlite::Access::read_only});
      rows::ShipmentReader reader;
      for (int i = 0; i < reports; ++i)
        REQUIRE(elsewhere.apply(
                    reader.read(database, elsewhere.shipped, {.events_max = 50}, false)) == "");
    }
    kill_after(child, 1);

    CHECK_FALSE(maintenance::recover(file, 1).clean);
    JournalWatch watch;
    const auto signal = std::make_shared<journal::CommitSignal>();
    journal::SqliteJournal journal({.file = file, .track_changes = true, .commit_signal = signal},
                                   watch);
    sqlite_store::SqliteShipping shipping(file, journal, signal);
    while (true) {
      const auto shipment = shipping.read_shipment(elsewhere.shipped, {}, false);
      REQUIRE(shipment);
      REQUIRE(elsewhere.apply(*shipment) == "");
      if (shipment->empty() && !shipment->more) break;
    }
    sqlite::Database database(file, {.access = sqlite::Access::read_only});
    CHECK(differences(elsewhere, model_of(database)) == "");
  }
}
