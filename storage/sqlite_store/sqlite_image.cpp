#include "storage/sqlite_store/sqlite_image.hpp"

#include <utility>

#include "storage/rows/client_tokens.hpp"
#include "storage/rows/copies.hpp"
#include "storage/rows/image.hpp"
#include "storage/rows/live_tail.hpp"
#include "storage/rows/merges.hpp"
#include "storage/rows/shipped_rows.hpp"
#include "storage/sqlite/database.hpp"

namespace verbatim::sqlite_store {

namespace {

/// The result of `read()`; a StorageError that it throws is a value.
template <class Read>
auto value_of(const Read& read) -> store::StoreResult<std::invoke_result_t<const Read&>> {
  try {
    return read();
  } catch (const store::StorageError& error) {
    return tl::unexpected(error);
  }
}

/// Entries that the subscriber has seen are no longer marked as new.
template <class Value>
void mark_seen(store::TailEntries<Value>& entries, std::uint64_t seen) {
  for (auto& entry : entries) {
    if (entry->changed > seen) continue;
    auto old = std::make_shared<store::TailEntry<Value>>(*entry);
    old->changed = 0;
    entry = std::move(old);
  }
}

}  // namespace

SqliteImage::SqliteImage(std::string id)
    : id_(std::move(id)), store_(rows::TranscriptStore::in_memory("session " + id_)) {}

store::StoreResult<std::unique_ptr<store::SessionImage>> SqliteImage::open(
    const store::SessionRows& rows) {
  return value_of([&] {
    std::unique_ptr<SqliteImage> image(new SqliteImage(rows.session.id));
    sqlite::Transaction all(image->store_.database());
    rows::fill_image(image->store_.database(), rows);
    all.commit();
    return std::unique_ptr<store::SessionImage>(std::move(image));
  });
}

store::StoreResult<std::optional<store::SessionSummary>> SqliteImage::session() {
  return value_of([&] { return store_.session(id_); });
}

store::StoreResult<std::optional<store::TranscriptViews>> SqliteImage::transcripts(
    const store::TranscriptRequest& request) {
  return value_of([&] { return store_.read(request); });
}

store::StoreResult<std::optional<store::TailStart>> SqliteImage::tail(
    const store::TailRequest& request) {
  return value_of([&]() -> std::optional<store::TailStart> {
    sqlite::Database& database = store_.database();
    auto start = rows::start_tail(database, request.session_id, request.attempt, request.seen);
    if (!start || start->ended || start->nothing_new) return start;
    store::TailWanted wanted;
    wanted.key = start->key;
    if (request.seen && !start->foreign_mark && !request.seen->final &&
        request.seen->attempt == start->key.attempt)
      wanted.seen = request.seen->number;
    rows::LiveTail tail;
    const auto states = tail.look(database, {wanted});
    if (states.empty() || !states.front().second) return start;
    auto state = std::make_shared<store::TailState>(*states.front().second);
    mark_seen(state->turns, wanted.seen);
    mark_seen(state->calls, wanted.seen);
    start->ended = std::move(state);
    return start;
  });
}

store::StoreResult<store::TokenStanding> SqliteImage::standing(const store::TokenUse& use,
                                                               const store::TokenClock& clock) {
  return value_of(
      [&] { return rows::token_standing(store_.database(), use, clock.now, clock.window_ms); });
}

store::StoreResult<store::SessionImage::Posted> SqliteImage::post(const store::PostedCopy& posted) {
  return value_of([&] {
    sqlite::Database& database = store_.database();
    Posted done;
    done.kept = rows::keep_copy(database, posted);
    done.body = posted.body.empty() ? transcript::encode_turns(posted.copy.turns) : posted.body;
    done.kept.outcome = store_.outcome_of(done.kept, id_);
    if (const auto news = store_.merge_news(done.kept.attempt)) rows::note_merge(database, *news);
    if (auto attempt = rows::read_shipped_attempt(database, done.kept.attempt))
      done.attempt = *std::move(attempt);
    return done;
  });
}

}  // namespace verbatim::sqlite_store
