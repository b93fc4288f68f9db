#include "storage/rows/merges.hpp"

#include <algorithm>
#include <iterator>

#include "storage/rows/copies.hpp"
#include "storage/rows/row_writer.hpp"
#include "storage/rows/webhook_outbox.hpp"
#include "storage/sqlite/database.hpp"

namespace verbatim::rows {
namespace {

using transcript::SessionStatus;

/// Results kept for an attempt: with its newest copy, and with a copy whose post is still to be
/// answered.
constexpr std::size_t results_max = 2;
/// Limits a linear search.
constexpr std::size_t attempts_max = 256;

/// The worst case compares each turn with each (session/transcript/merge/merge_work.hpp); the time
/// to read copies grows with their bytes.
const std::string merges_slowly =
    "(4 * copy_turns * copy_turns + 16 * copies * copy_turns > 6000000 OR copy_bytes > 1048576)";

std::int64_t first_copy(sqlite::Database& database, transcript::AttemptId attempt) {
  sqlite::Query row = database.query("SELECT coalesce(min(id), 0) FROM copy WHERE attempt = ?");
  return row.bind(attempt).step() ? row.integer(0) : 0;
}

struct PostedAt {
  std::int64_t id = 0;
  TimeMs at = 0;
};
std::vector<PostedAt> posted_since(sqlite::Database& database, transcript::AttemptId attempt,
                                   std::int64_t from) {
  std::vector<PostedAt> posted;
  sqlite::Query rows =
      database.query("SELECT id, posted_at FROM copy WHERE attempt = ? AND id >= ? ORDER BY id");
  rows.bind(attempt, from);
  while (rows.step()) posted.push_back({rows.integer(0), rows.integer(1)});
  return posted;
}

}  // namespace

store::MergeLane merge_lane(sqlite::Database& database, transcript::AttemptId attempt) {
  sqlite::Query row = database.query("SELECT " + merges_slowly + " FROM attempt WHERE id = ?");
  const bool slow = row.bind(attempt).step() && row.integer(0) != 0;
  return slow ? store::MergeLane::slow : store::MergeLane::quick;
}

std::optional<store::MergeLane> merge_lane(sqlite::Database& database,
                                           const std::string& session_id) {
  sqlite::Query row = database.query("SELECT max(" + merges_slowly +
                                     ") FROM attempt JOIN session ON session.id = attempt.session "
                                     "WHERE public_id = ? AND copies > 0");
  if (!row.bind(session_id).step() || row.is_null(0)) return std::nullopt;
  return row.integer(0) != 0 ? store::MergeLane::slow : store::MergeLane::quick;
}

std::vector<transcript::AttemptId> attempts_to_merge(sqlite::Database& database,
                                                     store::MergeLane lane, std::size_t limit) {
  std::vector<transcript::AttemptId> found;
  sqlite::Query rows = database.query("SELECT id FROM attempt WHERE to_merge IS NOT NULL AND " +
                                      merges_slowly + " = ? ORDER BY id LIMIT ?");
  rows.bind(lane == store::MergeLane::slow, limit);
  while (rows.step()) found.push_back(rows.integer(0));
  return found;
}

void note_merge(sqlite::Database& database, const MergeNews& news) {
  database
      .query(
          "UPDATE attempt SET merged_turns = ?1, merged_complete = ?2, to_merge = "
          "(SELECT min(id) FROM copy WHERE attempt = ?3 AND copy.id > ?4) "
          "WHERE id = ?3 AND to_merge = ?5")
      .bind(news.turns, news.complete, news.attempt, news.up_to, news.from)
      .run();
  if (database.changes() == 0) return;
  note_change(database, news.attempt);
  for (const TimeMs at : news.changed)
    announce(database, store::WebhookKind::transcript_updated, news.attempt, at);
}

MergeCache::CachedAttempt& MergeCache::brought_up_to_date(sqlite::Database& database,
                                                          transcript::AttemptId id) {
  const auto at = std::find_if(attempts_.begin(), attempts_.end(),
                               [&](const CachedAttempt& one) { return one.id == id; });
  if (at == attempts_.end()) {
    attempts_.emplace_front().id = id;
  } else {
    attempts_.splice(attempts_.begin(), attempts_, at);
  }
  CachedAttempt& attempt = attempts_.front();
  // A copy's number is never reused; an attempt's may be, after it was erased.
  if (!attempt.ids.empty() && attempt.ids.front() != first_copy(database, id)) {
    bytes_ -= attempt.bytes;
    attempt = {};
    attempt.id = id;
  }
  sqlite::Query rows =
      database.query("SELECT id, writer, body FROM copy WHERE attempt = ? AND id > ? ORDER BY id");
  rows.bind(id, attempt.ids.empty() ? 0 : attempt.ids.back());
  while (rows.step()) {
    const std::string body = rows.text(2);
    attempt.copies.push_back(read_copy(database, rows.integer(0), rows.text(1), body));
    attempt.ids.push_back(rows.integer(0));
    attempt.bytes += body.size();
    bytes_ += body.size();
  }
  return attempt;
}

void MergeCache::make_room() {
  // Without copies there is nothing to keep: the relay's turns are read each time.
  if (attempts_.front().ids.empty()) attempts_.pop_front();
  while (bytes_ > bytes_max_ || attempts_.size() > attempts_max) {
    bytes_ -= attempts_.back().bytes;
    attempts_.pop_back();
  }
}

std::shared_ptr<const MergedCopies> MergeCache::merged(sqlite::Database& database,
                                                       const AttemptRow& attempt,
                                                       std::int64_t up_to) {
  // The relay's transcript does not change before the relay begins, nor after the end.
  const bool is_final = attempt.status == SessionStatus::final;
  const bool stays = is_final || attempt.status == SessionStatus::created;
  CachedAttempt& cached = brought_up_to_date(database, attempt.id);
  const auto end = std::upper_bound(cached.ids.begin(), cached.ids.end(), up_to);
  const std::int64_t last = end == cached.ids.begin() ? 0 : *std::prev(end);
  if (cached.status != attempt.status) cached.results.clear();
  cached.status = attempt.status;
  if (const auto known = cached.results.find(last); known != cached.results.end())
    return known->second;

  auto made = std::make_shared<MergedCopies>();
  const transcript::FinalTranscript relay = heard_by_relay(database, attempt);
  const auto count = static_cast<std::size_t>(end - cached.ids.begin());
  const auto merge = [&](const std::vector<transcript::Copy>& copies) {
    made->transcript = count == 0 ? transcript::merge(relay, {})
                                  : transcript::merge(relay, copies, count - 1, made->brought);
  };
  if (count == cached.copies.size()) {
    merge(cached.copies);
  } else {
    merge({cached.copies.begin(), cached.copies.begin() + static_cast<std::ptrdiff_t>(count)});
  }
  if (!is_final) made->transcript.complete = false;
  if (stays && count > 0) {
    cached.results.emplace(last, made);
    while (cached.results.size() > results_max) cached.results.erase(cached.results.begin());
  }
  make_room();
  return made;
}

std::optional<MergeNews> MergeCache::news(sqlite::Database& database, transcript::AttemptId id) {
  AttemptRow attempt;
  attempt.id = id;
  MergeNews news;
  news.attempt = id;
  {
    sqlite::Query row = database.query("SELECT to_merge, status FROM attempt WHERE id = ?");
    if (!row.bind(id).step() || row.is_null(0)) return std::nullopt;
    news.from = row.integer(0);
    attempt.status = static_cast<SessionStatus>(row.integer(1));
  }
  const bool is_final = attempt.status == SessionStatus::final;
  if (!is_final && attempt.status != SessionStatus::created) return std::nullopt;
  if (is_final && news.from > 0) {
    for (const PostedAt& posted : posted_since(database, id, news.from)) {
      const transcript::Contribution brought = merged(database, attempt, posted.id)->brought;
      if (brought.added + brought.extended > 0) news.changed.push_back(posted.at);
    }
  }
  const auto all = merged(database, attempt);
  {
    sqlite::Query row = database.query("SELECT coalesce(max(id), 0) FROM copy WHERE attempt = ?");
    row.bind(id).step();
    news.up_to = row.integer(0);
  }
  news.turns = all->transcript.turns.size();
  news.complete = all->transcript.complete;
  return news;
}

}  // namespace verbatim::rows
