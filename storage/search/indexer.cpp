#include "storage/search/indexer.hpp"

#include <chrono>
#include <set>
#include <utility>

#include "base/thread_name.hpp"
#include "storage/rows/transcript_store.hpp"
#include "storage/search/search_file.hpp"

namespace verbatim::search {

namespace {

using namespace std::chrono_literals;

/// How soon an ended conversation is found.
constexpr auto indexer_look_interval = 500ms;
constexpr auto indexer_retry_interval = 5s;
/// Attempts in one transaction of the index: after a kill, at most these are indexed again.
constexpr std::size_t attempts_in_a_batch = 32;
constexpr std::size_t strangers_in_a_look = 500;

/// The sessions whose stored transcripts have changed since the index last looked.
struct Changed {
  std::int64_t up_to = 0;
  std::set<std::string> sessions;
};

Changed changed_since(sqlite::Database& database, std::int64_t mark) {
  Changed changed;
  {
    // Several attempts may have one number: a batch has all of them or none.
    sqlite::Query last = database.query(
        "SELECT max(changed) FROM (SELECT changed FROM attempt WHERE changed > ? "
        "ORDER BY changed LIMIT ?)");
    last.bind(mark, attempts_in_a_batch);
    if (!last.step() || last.is_null(0)) return changed;
    changed.up_to = last.integer(0);
  }
  sqlite::Query rows = database.query(
      "SELECT DISTINCT public_id FROM attempt JOIN session ON session.id = attempt.session "
      "WHERE changed > ? AND changed <= ?");
  rows.bind(mark, changed.up_to);
  while (rows.step()) changed.sessions.insert(rows.text(0));
  return changed;
}

/// The row id of a session; nullopt: it was erased meanwhile.
std::optional<std::int64_t> row_of(sqlite::Database& database, const std::string& public_id) {
  sqlite::Query row = database.query("SELECT id FROM session WHERE public_id = ?");
  if (!row.bind(public_id).step()) return std::nullopt;
  return row.integer(0);
}

/// The turns of attempts that have ended, or that were only posted.
std::vector<IndexedTurn> turns_of(rows::TranscriptStore& store, const std::string& public_id) {
  std::vector<IndexedTurn> turns;
  const auto views = store.transcripts(public_id);
  if (!views) return turns;
  for (const transcript::TranscriptView& view : *views) {
    const bool stored = view.status == transcript::SessionStatus::final ||
                        view.status == transcript::SessionStatus::created;
    if (!stored) continue;
    for (const transcript::MergedTurn& turn : view.turns) {
      if (turn.text.wtf8().empty()) continue;
      turns.push_back({view.attempt, turn.ordinal, static_cast<int>(turn.role), turn.text.wtf8()});
    }
  }
  return turns;
}

SearchFile::Position newest(sqlite::Database& database) {
  sqlite::Query row = database.query("SELECT store, last_change FROM meta");
  if (!row.step()) return {};
  return {row.text(0), row.integer(1)};
}

}  // namespace

struct Indexer::Files {
  explicit Files(const std::filesystem::path& database)
      : store(database), index(index_file_of(database)) {}
  rows::TranscriptStore store;
  SearchFile index;
};

Indexer::Indexer(std::filesystem::path database, std::size_t free_space_min, Log& log)
    : database_(std::move(database)), free_space_min_(free_space_min), log_(log), thread_([this] {
        name_this_thread("search");
        give_way();
        work();
      }) {}

Indexer::~Indexer() { stop(); }

void Indexer::erase(std::string session_id, store::Done<> done, std::function<void()> gone) {
  {
    const std::lock_guard lock(mutex_);
    if (!stopping_) {
      erasures_.push_back({std::move(session_id), std::move(done), std::move(gone)});
      wake_.notify_one();
      return;
    }
  }
  done({});
}

void Indexer::begin_stop() {
  {
    const std::lock_guard lock(mutex_);
    stopping_ = true;
  }
  wake_.notify_one();
}

void Indexer::stop() {
  begin_stop();
  if (thread_.joinable()) thread_.join();
}

void Indexer::work() {
  while (!stopping_) {
    bool more = false;
    auto pause = std::chrono::milliseconds(indexer_look_interval);
    try {
      more = step();
      if (!more) troubled_ = false;
    } catch (const store::StorageError& error) {
      report(error);
      // The database has the sessions no longer. The index loses them once it can be opened.
      for (Erasure& one : take_erasures()) one.done(tl::unexpected(error));
      pause = indexer_retry_interval;
    }
    if (more) continue;
    std::unique_lock lock(mutex_);
    wake_.wait_for(lock, pause, [this] { return stopping_ || (!erasures_.empty() && !troubled_); });
  }
  for (Erasure& left : take_erasures()) left.done({});
}

void Indexer::report(const store::StorageError& error) {
  files_.reset();
  const std::filesystem::path index = index_file_of(database_);
  // An error's message begins with the name of its file. Only a damaged index is made again here,
  // never the database.
  const bool damaged = error.failure() == store::Failure::corrupt &&
                       std::string_view(error.what()).starts_with(index.string());
  if (damaged) remove_index(index);
  if (!troubled_) log_.warn("search.postponed", {{"why", error.what()}});
  troubled_ = true;
}

std::vector<Indexer::Erasure> Indexer::take_erasures() {
  const std::lock_guard lock(mutex_);
  return std::exchange(erasures_, {});
}

/// Returns whether there is more to do at once.
bool Indexer::step() {
  if (open_anew_.exchange(false)) files_.reset();
  if (!files_) open();
  if (auto waiting = take_erasures(); !waiting.empty()) erase_waiting(std::move(waiting));
  scrub();
  if (!looked_through_ && drop_strangers() > 0) return true;
  return index_batch();
}

/// Opens the index. Clears it if it is of another store, or ahead of this store, as after a backup
/// was restored.
void Indexer::open() {
  files_ = std::make_unique<Files>(database_);
  const SearchFile::Position now = newest(files_->store.database());
  const SearchFile::Position then = files_->index.position();
  looked_to_ = 0;
  looked_through_ = false;
  scrub_wanted_ = true;  // the last program may have been killed before it did so
  if (then.store == now.store && then.up_to <= now.up_to) return;
  sqlite::Transaction anew(files_->index.database());
  files_->index.clear();
  files_->index.move_to({now.store, 0});
  anew.commit();
  if (now.up_to > 0) log_.info("search.indexing", {{"changes", now.up_to}});
}

void Indexer::erase_waiting(std::vector<Erasure> waiting) {
  store::StoreResult<> outcome;
  try {
    std::vector<std::int64_t> rows;
    sqlite::Transaction transaction(files_->index.database());
    for (const Erasure& one : waiting)
      for (const std::int64_t row : files_->index.rows_named(one.session_id)) rows.push_back(row);
    files_->index.erase(rows);
    transaction.commit();
    for (Erasure& one : waiting) when_scrubbed_.push_back(std::move(one.gone));
    scrub_wanted_ = scrub_wanted_ || !rows.empty();
    scrub();
  } catch (const store::StorageError& error) {
    outcome = tl::unexpected(error);
  }
  for (Erasure& one : waiting) one.done(outcome);
  // The database no longer has the session, so drop_strangers() finds its words.
  if (!outcome) {
    looked_to_ = 0;
    looked_through_ = false;
    throw store::StorageError(outcome.error());
  }
}

/// The words must leave the files too. A reader can prevent that for a while.
void Indexer::scrub() {
  if (scrub_wanted_) scrub_wanted_ = !files_->index.scrub();
  if (scrub_wanted_) return;
  for (const auto& then : std::exchange(when_scrubbed_, {})) then();
}

/// Takes out sessions that were erased while this program did not run, or whose erasure here
/// failed. Returns how many it looked at.
std::size_t Indexer::drop_strangers() {
  const auto known = files_->index.sessions_after(looked_to_, strangers_in_a_look);
  std::vector<std::int64_t> strangers;
  for (const SearchFile::Session& one : known) {
    if (row_of(files_->store.database(), one.public_id) != one.id) strangers.push_back(one.id);
  }
  if (!strangers.empty()) {
    sqlite::Transaction transaction(files_->index.database());
    files_->index.erase(strangers);
    transaction.commit();
    scrub_wanted_ = true;
  }
  if (known.empty())
    looked_through_ = true;
  else
    looked_to_ = known.back().id;
  return known.size();
}

/// Returns false below storage.free_space_min. The index stays open meanwhile, and the log has one
/// line.
bool Indexer::has_space() {
  std::error_code unknown;
  const auto space = std::filesystem::space(database_.parent_path(), unknown);
  const bool enough = unknown || space.available >= free_space_min_;
  if (!enough && !waits_for_space_) {
    log_.warn(
        "search.postponed",
        {{"why", index_file_of(database_).string() +
                     ": the disk has less than storage.free_space_min left; the index waits"}});
  }
  waits_for_space_ = !enough;
  return enough;
}

bool Indexer::index_batch() {
  sqlite::Database& database = files_->store.database();
  const SearchFile::Position position = files_->index.position();
  const Changed changed = changed_since(database, position.up_to);
  if (changed.up_to == 0) return false;
  if (!has_space()) return false;
  sqlite::Transaction transaction(files_->index.database());
  for (const std::string& public_id : changed.sessions) {
    if (stopping_) return false;
    const auto row = row_of(database, public_id);
    if (!row) continue;
    const std::vector<IndexedTurn> turns = turns_of(files_->store, public_id);
    // If it was erased just now, its erasure is waiting and follows.
    files_->index.put(*row, public_id, turns);
  }
  files_->index.move_to({position.store, changed.up_to});
  transaction.commit();
  files_->index.checkpoint();
  return true;
}

}  // namespace verbatim::search
