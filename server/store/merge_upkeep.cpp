#include "server/store/merge_upkeep.hpp"

#include <chrono>
#include <vector>

#include "storage/store/merges.hpp"

namespace verbatim::server {

namespace {

constexpr auto look_interval = std::chrono::milliseconds(200);
/// Interval while the store cannot be read or written.
constexpr auto unreadable_interval = std::chrono::seconds(1);
constexpr std::size_t attempts_at_a_look = 16;

}  // namespace

Awaitable<void> write_down_merge(Executor executor, session::AttemptId attempt, StoreReader& merger,
                                 storage::SqliteJournal& journal, std::string share) {
  using News = std::optional<storage::MergeNews>;
  const auto read = [attempt](storage::TranscriptStore& store) {
    return store.merge_news(attempt);
  };
  auto found = co_await merger.run<News>(executor, read, "merge of copies", std::move(share));
  if (found.index() == 1 || !std::get<0>(found)) co_return;
  const auto start = [&journal, news = std::move(*std::get<0>(found))](auto done) {
    journal.execute([news](storage::Database& database) { storage::note_merge(database, news); },
                    [done](const storage::StorageError*) mutable { done(true); });
  };
  co_await from_callback<bool>(executor, start);
}

Awaitable<void> keep_merged(Executor executor, storage::MergeLane lane, Merger& mergers,
                            storage::SqliteJournal& journal, Log& log) {
  StoreReader& merger = mergers.of(lane);
  asio::basic_waitable_timer<Clock, asio::wait_traits<Clock>, Executor> timer(executor);
  using Attempts = std::vector<session::AttemptId>;
  const auto read = [lane](storage::TranscriptStore& store) {
    return storage::attempts_to_merge(store.database(), lane, attempts_at_a_look);
  };
  Attempts before;
  bool troubled = false;
  while (true) {
    auto found = co_await merger.run<Attempts>(executor, read, "copies to merge");
    const auto* const error = std::get_if<1>(&found);
    if (error && !troubled) log.error("merge.postponed", {{"why", error->what()}});
    troubled = error != nullptr;
    const Attempts attempts = error ? Attempts() : std::get<0>(found);
    for (const session::AttemptId attempt : attempts)
      co_await write_down_merge(executor, attempt, merger, journal);
    // The same attempts again: the journal does not accept their results now.
    const bool stuck = troubled || (!attempts.empty() && attempts == before);
    before = attempts;
    if (!attempts.empty() && !stuck) continue;
    timer.expires_after(stuck ? unreadable_interval : look_interval);
    co_await timer.async_wait(use_tuple);
  }
}

}  // namespace verbatim::server
