#include "storage/sqlite_store/merge_upkeep.hpp"

#include <chrono>
#include <utility>

#include "storage/rows/merges.hpp"

namespace verbatim::sqlite_store {

namespace {

constexpr auto look_interval = std::chrono::milliseconds(200);
/// Interval while the store cannot be read or written.
constexpr auto unreadable_interval = std::chrono::seconds(1);
constexpr std::size_t attempts_at_a_look = 16;

}  // namespace

void write_down_merge(transcript::AttemptId attempt, ReaderThread& merger,
                      journal::SqliteJournal& journal, const std::string& share,
                      std::function<void()> then) {
  const auto read = [attempt](rows::TranscriptStore& store) { return store.merge_news(attempt); };
  merger.run(
      {"merge of copies", share}, read,
      [&journal, then = std::move(then)](store::StoreResult<std::optional<rows::MergeNews>> found) {
        if (!found || !*found) return then();
        journal.execute([news = **std::move(found)](
                            sqlite::Database& database) { rows::note_merge(database, news); },
                        [then](const store::StorageError*) { then(); });
      });
}

void MergeUpkeep::search() {
  const auto read = [lane = lane_](rows::TranscriptStore& store) {
    return rows::attempts_to_merge(store.database(), lane, attempts_at_a_look);
  };
  merger_.run({"copies to merge"}, read,
              [this](store::StoreResult<Attempts> found) { take(std::move(found)); });
}

void MergeUpkeep::take(store::StoreResult<Attempts> found) {
  if (!found && !troubled_) log_.error("merge.postponed", {{"why", found.error().what()}});
  troubled_ = !found;
  const Attempts before = std::exchange(attempts_, found ? *std::move(found) : Attempts());
  // The same attempts again: the journal does not accept their results now.
  stuck_ = troubled_ || (!attempts_.empty() && attempts_ == before);
  next_ = 0;
  merge_next();
}

void MergeUpkeep::merge_next() {
  if (stopping_.load()) return;
  if (next_ < attempts_.size()) {
    write_down_merge(attempts_[next_++], merger_, journal_, {}, [this] { merge_next(); });
    return;
  }
  if (!attempts_.empty() && !stuck_) return search();
  const auto pause = stuck_ ? unreadable_interval : look_interval;
  merger_.run_at(ReaderThread::Clock::now() + pause, [this] { search(); });
}

}  // namespace verbatim::sqlite_store
