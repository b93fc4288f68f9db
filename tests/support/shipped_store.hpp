// A store that tracks changes, with a shipper and a database elsewhere in memory; and random
// changes of such a store.
#pragma once

#include <filesystem>
#include <functional>
#include <map>
#include <memory>
#include <random>
#include <string>

#include <catch2/catch.hpp>

#include "storage/journal/commit_signal.hpp"
#include "storage/maintenance/recovery.hpp"
#include "storage/rows/change_tracking.hpp"
#include "storage/rows/client_tokens.hpp"
#include "storage/rows/copies.hpp"
#include "storage/rows/merges.hpp"
#include "storage/rows/transcript_store.hpp"
#include "storage/rows/webhook_outbox.hpp"
#include "storage/sqlite/database.hpp"
#include "storage/sqlite_store/sqlite_shipping.hpp"
#include "tests/support/journal_driver.hpp"
#include "tests/support/shipment_model.hpp"
#include "tests/support/temp_dir.hpp"

namespace verbatim::test {

constexpr std::int64_t an_hour = 3'600'000;

/// A store that tracks changes, and its shipper.
class Shipped {
 public:
  explicit Shipped(journal::JournalOptions options = {}) : options_(std::move(options)) {
    options_.track_changes = true;
    options_.commit_signal = std::make_shared<journal::CommitSignal>();
    open();
  }

  void open() {
    options_.file = file();
    const auto report = maintenance::recover(file(), 5000, false, options_.fallback_dir);
    for (const store::LogFinding& log : report.logs) CHECK_FALSE(log.lost);
    watch = std::make_unique<JournalWatch>();
    journal = std::make_unique<journal::SqliteJournal>(options_, *watch);
    shipping =
        std::make_unique<sqlite_store::SqliteShipping>(file(), *journal, options_.commit_signal);
  }
  void close() {
    shipping.reset();
    journal.reset();
  }
  void open_again(bool tracking = true) {
    close();
    options_.track_changes = tracking;
    open();
  }
  /// As a kill leaves the files.
  void crash() {
    sync();
    auto next = std::make_unique<TempDir>();
    {
      // While one reads, the log is not emptied.
      sqlite::Database reader(file(), {.access = sqlite::Access::read_only});
      const sqlite::Savepoint snapshot(reader);
      reader.query("SELECT 1 FROM meta").step();
      std::filesystem::copy_file(file(), *next / "v.db");
      std::filesystem::copy_file(file().string() + "-wal", *next / "v.db-wal");
    }
    close();
    dir_ = std::move(next);
    open();
  }
  void sync() {
    execute(*journal, [](sqlite::Database&) {});
  }
  std::filesystem::path file() const { return *dir_ / "v.db"; }
  journal::JournalOptions& options() { return options_; }

  transcript::AttemptId begin(const std::string& session) {
    return open_attempt(*journal, {.session_id = session, .user = "ann", .model = "m", .now = 1000})
        .attempt.attempt;
  }
  void change(const std::function<void(sqlite::Database&)>& work) {
    REQUIRE_FALSE(execute(*journal, work));
  }

  /// Applies the next shipment. False if there was nothing.
  bool ship(const store::ShipmentLimits& limits = {}, bool catch_up = false) {
    const auto shipment = shipping->read_shipment(model.shipped, limits, catch_up);
    REQUIRE(shipment);
    CHECK(shipment->after == model.shipped);
    CHECK(shipment->upto >= shipment->after);
    const std::string broken = model.apply(*shipment);
    INFO(broken);
    REQUIRE(broken.empty());
    return !shipment->empty() || shipment->more;
  }
  void note() {
    REQUIRE(ask<void>([&](auto done) { shipping->note_shipped(model.watermark, done); }));
  }
  bool resume() {
    model.shipped = model.watermark;
    return ask<bool>([&](auto done) { shipping->resume_from(model.shipped, done); }).value();
  }
  /// Until nothing is left.
  void ship_all() {
    REQUIRE(becomes([&] {
      while (ship()) {
      }
      sync();
      sqlite::Database database(file(), {.access = sqlite::Access::read_only});
      return !rows::needs_numbers(database) && !ship();
    }));
  }
  std::string missing() {
    sync();
    sqlite::Database database(file(), {.access = sqlite::Access::read_only});
    return differences(model, model_of(database));
  }
  std::int64_t count(const std::string& sql) {
    sqlite::Database database(file(), {.access = sqlite::Access::read_only});
    sqlite::Query row = database.query(sql);
    return row.step() ? row.integer(0) : -1;
  }

  ShipmentModel model;
  std::unique_ptr<JournalWatch> watch;
  std::unique_ptr<journal::SqliteJournal> journal;
  std::unique_ptr<sqlite_store::SqliteShipping> shipping;

 private:
  std::unique_ptr<TempDir> dir_ = std::make_unique<TempDir>();
  journal::JournalOptions options_;
};

inline transcript::Ending ending_with(int turns, TimeMs at) {
  transcript::Ending ending;
  ending.ended_at = at;
  for (int i = 1; i <= turns; ++i)
    ending.transcript.turns.push_back(
        turn(i, "i" + std::to_string(i), "turn " + std::to_string(i) + std::string(1, '\0') + "."));
  transcript::ToolCall call;
  call.item_id = "call";
  call.after = turns;
  ending.transcript.tool_calls.push_back(call);
  return ending;
}

/// Random changes of every kind.
class Life {
 public:
  Life(Shipped& it, unsigned seed) : it_(it), random_(seed) {}

  unsigned below(unsigned end) { return random_() % end; }

  void step() {
    switch (below(24)) {
      case 0:
        return begin();
      case 1:
        return settle();
      case 2:
        return mark();
      case 3:
        return end();
      case 4:
        return change([id = session()](sqlite::Database& database) {
          rows::create_session(database, {.id = id, .user = "ann", .now = 900});
        });
      case 5:
        return change([id = session(), n = below(9)](sqlite::Database& database) {
          rows::patch_metadata(database, id, {"{\"n\":" + std::to_string(n) + "}", "{}"}, 9999);
        });
      case 6:
        return post();
      case 7:
        return merge();
      case 8:
        return change([n = below(30)](sqlite::Database& database) {
          store::ClientToken token;
          token.id = "tok" + std::to_string(n);
          token.session_config_json = "{}";
          token.expires_at = 1 + n;
          rows::save_client_token(database, token);
        });
      case 9:
        return change([id = session(), n = below(30)](sqlite::Database& database) {
          rows::note_token_use(database, "tok" + std::to_string(n), id);
        });
      case 10:
        return change([n = below(30)](sqlite::Database& database) {
          rows::revoke_client_token(database, "tok" + std::to_string(n), 7);
        });
      case 11:
        return change([n = below(12)](sqlite::Database& database) {
          rows::prune_client_tokens(database, n, 1);
        });
      case 12:
      case 13:
        return deliver();
      case 14:
        return erase();
      case 15:
        return undone();
      default:
        return say();
    }
  }

  /// Call it after a crash: no attempt is open then.
  void forget_open() { open_.clear(); }
  void end_all() {
    while (!open_.empty()) end();
  }

 private:
  std::string session() { return "s" + std::to_string(below(12)); }

  /// Some are refused, for example because there is no such session.
  void change(const std::function<void(sqlite::Database&)>& work) { execute(*it_.journal, work); }

  void begin() {
    const std::string id = session();
    if (open_.contains(id)) return;
    const auto opened =
        open_attempt(*it_.journal, {.session_id = id, .user = "ann", .model = "m", .now = 1000});
    if (!opened.error) open_[id] = opened.attempt.attempt;
  }
  std::map<std::string, transcript::AttemptId>::iterator any_open() {
    if (open_.empty()) return open_.end();
    return std::next(open_.begin(), below(static_cast<unsigned>(open_.size())));
  }
  void say() {
    const auto at = any_open();
    if (at == open_.end()) return;
    ++time_;
    it_.journal->append(at->second, 2000 + time_, delta("i1", "word " + std::to_string(time_)));
  }
  void settle() {
    const auto at = any_open();
    if (at == open_.end()) return;
    const int number = 1 + static_cast<int>(below(4));
    it_.journal->settle(at->second, turn(below(2) ? number : 0, "i" + std::to_string(number),
                                         "settled " + std::to_string(++time_)));
  }
  void mark() {
    const auto at = any_open();
    if (at == open_.end()) return;
    it_.journal->mark(at->second, below(2) ? transcript::SessionStatus::live
                                           : transcript::SessionStatus::detached);
  }
  void end() {
    const auto at = any_open();
    if (at == open_.end()) return;
    it_.journal->close(at->second, ending_with(static_cast<int>(below(6)), 3000 + ++time_));
    open_.erase(at);
  }
  void post() {
    store::PostedCopy posted;
    posted.session_id = session();
    posted.copy.writer = "agent";
    transcript::CopyTurn said;
    said.text = Text::from_wtf8("copy " + std::to_string(below(5)));
    posted.copy.turns.push_back(said);
    change([posted](sqlite::Database& database) { rows::keep_copy(database, posted); });
  }
  void merge() {
    it_.sync();
    rows::TranscriptStore store(it_.file());
    for (const auto attempt : rows::attempts_to_merge(store.database(), store::MergeLane::quick, 2))
      if (const auto news = store.merge_news(attempt))
        change([news](sqlite::Database& database) { rows::note_merge(database, *news); });
  }
  void deliver() {
    const store::DeliveryRecords records{.targets = {"crm"}, .tries_max = 2, .delivered_ms = 1};
    change([n = below(40), dead = below(3) == 0, records](sqlite::Database& database) {
      std::int64_t message = 0;
      {
        sqlite::Query row = database.query("SELECT id FROM message ORDER BY id LIMIT 1 OFFSET ?");
        if (!row.bind(static_cast<std::int64_t>(n)).step()) return;
        message = row.integer(0);
      }
      rows::begin_try(database, message, "crm");
      store::TryOutcome outcome;
      outcome.state = dead ? store::DeliveryState::waiting : store::DeliveryState::delivered;
      outcome.at = 10'000 + n;
      rows::end_try(database, message, "crm", outcome, records);
    });
  }
  void erase() {
    const std::string id = session();
    if (open_.contains(id)) return;
    change([id](sqlite::Database& database) { rows::erase_session(database, id); });
  }
  void undone() {
    change([id = session()](sqlite::Database& database) {
      rows::create_session(database, {.id = id + "-undone", .user = "ann", .now = 900});
      rows::patch_metadata(database, id + "-undone", {R"({"a":1})", "{}"}, 9999);
      throw store::StorageError(store::Failure::too_many, "not this one");
    });
  }

  Shipped& it_;
  std::mt19937 random_;
  std::map<std::string, transcript::AttemptId> open_;
  TimeMs time_ = 0;
};

}  // namespace verbatim::test
