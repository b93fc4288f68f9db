#include "storage/rows/live_tail.hpp"

#include <algorithm>
#include <set>
#include <utility>

#include "storage/rows/attempt_reader.hpp"
#include "storage/rows/copies.hpp"
#include "storage/rows/event_codec.hpp"
#include "storage/rows/row_writer.hpp"
#include "storage/sqlite/database.hpp"

namespace verbatim::rows {
namespace {

using transcript::SessionStatus;

std::uint64_t newest_row(sqlite::Database& database) {
  sqlite::Query row = database.query("SELECT coalesce(max(seq), 0) FROM journal");
  return row.step() ? static_cast<std::uint64_t>(row.integer(0)) : 0;
}

std::uint64_t newest_copy(sqlite::Database& database, transcript::AttemptId attempt) {
  sqlite::Query row = database.query("SELECT coalesce(max(id), 0) FROM copy WHERE attempt = ?");
  return row.bind(attempt).step() ? static_cast<std::uint64_t>(row.integer(0)) : 0;
}

bool is_there(sqlite::Database& database, const std::string& session_id) {
  sqlite::Query row = database.query("SELECT 1 FROM session WHERE public_id = ?");
  return row.bind(session_id).step();
}

transcript::TranscriptView head_of(const std::string& session_id, const AttemptRow& attempt) {
  transcript::TranscriptView head;
  head.session_id = session_id;
  head.attempt = attempt.number;
  head.status = attempt.status;
  head.started_at = attempt.started_at;
  head.ended_at = attempt.ended_at;
  head.close_reason = attempt.close_reason;
  return head;
}

std::string render(const transcript::MergedTurn& turn, std::size_t) {
  return transcript::render_turn(turn);
}
std::string render(const transcript::ToolCall& call, std::size_t place) {
  return transcript::render_tool_call(call, place + 1);
}

/// Replaces changed entries; unchanged ones stay the same objects. True if any entry changed or was
/// removed.
template <class Value>
bool update(store::TailEntries<Value>& entries, std::vector<Value> fresh, std::uint64_t changed,
            std::uint64_t generation) {
  bool any = fresh.size() < entries.size();
  entries.resize(std::min(entries.size(), fresh.size()));
  for (std::size_t i = 0; i < fresh.size(); ++i) {
    if (i < entries.size() && entries[i]->value == fresh[i]) continue;
    auto entry = std::make_shared<store::TailEntry<Value>>();
    entry->json = render(fresh[i], i);
    entry->value = std::move(fresh[i]);
    entry->changed = changed;
    entry->generation = generation;
    if (i < entries.size()) {
      entries[i] = std::move(entry);
    } else {
      entries.push_back(std::move(entry));
    }
    any = true;
  }
  return any;
}

bool update(store::TailState& state, transcript::MergedTranscript& merged, std::uint64_t changed,
            std::uint64_t generation) {
  const bool turns = update(state.turns, std::move(merged.turns), changed, generation);
  return update(state.calls, std::move(merged.tool_calls), changed, generation) || turns;
}

std::vector<std::string> ids_of(const std::vector<transcript::Turn>& turns) {
  std::vector<std::string> ids;
  for (const transcript::Turn& turn : turns) ids.push_back(turn.item_id);
  return ids;
}

/// For an attempt that has ended.
void show_end(store::TailState& state, transcript::MergedTranscript merged) {
  transcript::MergedTranscript shown = merged;
  update(state, shown, store::TailTurn::always, state.generation);
  state.head.show(std::move(merged));
  state.head.turns.clear();
  state.head.tool_calls.clear();
}

/// The state at the end of an attempt. Only turns that changed after `since` are marked as new;
/// all, without `since`.
std::shared_ptr<const store::TailState> end_of(sqlite::Database& database,
                                               const std::string& session_id,
                                               const AttemptRow& attempt,
                                               const std::optional<store::TailMark>& since) {
  auto state = std::make_shared<store::TailState>();
  state->head = head_of(session_id, attempt);
  state->mark = {attempt.number, true, newest_copy(database, attempt.id)};
  auto merged = merged_transcript(database, attempt);
  if (since && since->attempt == attempt.number && since->final) {
    auto earlier = transcript::merge(
        heard_by_relay(database, attempt),
        copies_of(database, attempt.id, static_cast<std::int64_t>(since->number)));
    update(*state, earlier, 0, 0);
  }
  state->generation = 1;
  show_end(*state, std::move(merged));
  return state;
}

/// True for a mark of another node of the fleet, whose numbers mean nothing here.
bool is_foreign(sqlite::Database& database, const store::TailMark& mark) {
  if (!mark.final) return mark.number > highest_sequence(database);
  sqlite::Query row = database.query("SELECT coalesce(max(id), 0) FROM copy");
  return row.step() && mark.number > static_cast<std::uint64_t>(row.integer(0));
}

}  // namespace

std::optional<store::TailStart> start_tail(sqlite::Database& database,
                                           const std::string& session_id,
                                           std::optional<int> attempt,
                                           std::optional<store::TailMark> seen) {
  sqlite::Savepoint snapshot(database);
  store::TailStart start;
  start.foreign_mark = seen && is_foreign(database, *seen);
  if (start.foreign_mark) seen.reset();
  start.key = {session_id, attempt.value_or(1)};
  const auto found = find_attempt(database, session_id, attempt);
  if (!found) {
    sqlite::Query none = database.query(
        "SELECT 1 FROM session WHERE public_id = ? AND NOT EXISTS "
        "(SELECT 1 FROM attempt WHERE session = session.id)");
    if (attempt.value_or(1) != 1 || !none.bind(session_id).step()) return std::nullopt;
    return start;
  }
  start.key.attempt = found->number;
  if (found->status == SessionStatus::final) {
    const store::TailMark now{found->number, true, newest_copy(database, found->id)};
    start.nothing_new = seen == now;
    if (!start.nothing_new) start.ended = end_of(database, session_id, *found, seen);
  }
  if (attempt || !seen || seen->attempt >= found->number) return start;
  const auto earlier = find_attempt(database, session_id, seen->attempt);
  if (earlier && earlier->status == SessionStatus::final &&
      seen != store::TailMark{earlier->number, true, newest_copy(database, earlier->id)})
    start.before = end_of(database, session_id, *earlier, seen);
  return start;
}

std::vector<std::pair<store::TailKey, std::shared_ptr<const store::TailState>>> LiveTail::look(
    sqlite::Database& database, const std::vector<store::TailWanted>& wanted) {
  sqlite::Savepoint snapshot(database);
  std::map<store::TailKey, const store::TailWanted*> asked;
  for (const store::TailWanted& one : wanted) asked.emplace(one.key, &one);
  std::erase_if(tails_, [&](const auto& entry) {
    if (asked.contains(entry.first)) return false;
    by_attempt_.erase(entry.second.attempt);
    return true;
  });
  read_rows(database);
  read_copies(database);
  std::vector<std::pair<store::TailKey, std::shared_ptr<const store::TailState>>> states;
  for (const auto& [key, one] : asked) {
    Tail& tail = tails_[key];
    if (tail.attempt == 0) begin(database, tail, *one);
    if (tail.slow) {
      slow_.push_back(key);
      continue;
    }
    refresh(database, key, tail);
    states.emplace_back(key, tail.state);
  }
  return states;
}

/// Reads all rows since the last look, once for all subscribers.
void LiveTail::read_rows(sqlite::Database& database) {
  if (by_attempt_.empty()) {
    rows_to_ = std::max(rows_to_, newest_row(database));
    return;
  }
  sqlite::Query rows =
      database.query("SELECT seq, attempt, at, body FROM journal WHERE seq > ? ORDER BY seq");
  rows.bind(rows_to_);
  while (rows.step()) {
    rows_to_ = static_cast<transcript::Sequence>(rows.integer(0));
    const auto at = by_attempt_.find(rows.integer(1));
    if (at == by_attempt_.end()) continue;
    at->second->stale = true;
    if (const auto event = decode_event(rows.blob(3)))
      at->second->fold.apply(*event, rows.integer(2));
  }
}

void LiveTail::read_copies(sqlite::Database& database) {
  std::int64_t to = copies_to_;
  std::set<transcript::AttemptId> posted;
  if (by_attempt_.empty()) {
    sqlite::Query newest = database.query("SELECT coalesce(max(id), 0) FROM copy");
    if (newest.step()) to = newest.integer(0);
  } else {
    sqlite::Query rows = database.query("SELECT id, attempt FROM copy WHERE id > ? ORDER BY id");
    rows.bind(copies_to_);
    while (rows.step()) {
      to = rows.integer(0);
      posted.insert(rows.integer(1));
    }
  }
  for (const transcript::AttemptId attempt : posted) {
    const auto at = by_attempt_.find(attempt);
    if (at == by_attempt_.end() || leave_aside(database, *at->second, attempt)) continue;
    at->second->copies = copies_of(database, attempt);
    at->second->stale = at->second->calls_stale = true;
  }
  copies_to_ = to;
}

bool LiveTail::leave_aside(sqlite::Database& database, Tail& tail,
                           transcript::AttemptId attempt) const {
  tail.slow =
      lane_ == store::MergeLane::quick && merge_lane(database, attempt) == store::MergeLane::slow;
  return tail.slow;
}

/// Reads the attempt from its beginning, if it exists by now. Keeps what the first subscriber has
/// seen apart from what came later.
void LiveTail::begin(sqlite::Database& database, Tail& tail, const store::TailWanted& wanted) {
  const auto attempt = find_attempt(database, wanted.key.session_id, wanted.key.attempt);
  if (!attempt) return;
  if (leave_aside(database, tail, attempt->id)) return;
  if (!tail.state && wanted.state) {
    tail.state = wanted.state;
    generation_ = std::max(generation_, wanted.state->generation);
  }
  Tail fresh;
  fresh.attempt = attempt->id;
  if (tail.state) fresh.state = tail.state;
  if (attempt->status != SessionStatus::final) {
    fresh.copies = copies_of(database, attempt->id);
    fold(database, fresh, wanted.seen);
  }
  tail = std::move(fresh);
  by_attempt_[attempt->id] = &tail;
}

void LiveTail::fold(sqlite::Database& database, Tail& tail, std::uint64_t seen) {
  const auto remember = [&] {
    bool with_calls = true;
    auto merged = transcript::merge(heard(tail, with_calls), {});
    auto state = std::make_shared<store::TailState>();
    update(*state, merged, seen, generation_ + 1);
    tail.state = std::move(state);
  };
  // With copies, the earlier state cannot be reconstructed.
  bool remembered = seen == 0 || !tail.copies.empty();
  sqlite::Query first = database.query("SELECT first_seq, started_at FROM attempt WHERE id = ?");
  if (first.bind(tail.attempt).step()) tail.fold.not_before(first.integer(1));
  sqlite::Query rows = database.query(
      "SELECT seq, at, body FROM journal WHERE seq >= ? AND attempt = ? ORDER BY seq");
  rows.bind(first.integer(0), tail.attempt);
  while (rows.step()) {
    if (!remembered && static_cast<std::uint64_t>(rows.integer(0)) > seen) {
      remember();
      remembered = true;
    }
    if (const auto event = decode_event(rows.blob(2))) tail.fold.apply(*event, rows.integer(1));
  }
  if (!remembered) remember();
}

/// The transcript that the relay has heard so far. Tool calls may be long: they are rendered again
/// only if one of them changed, or the order of the turns around them.
transcript::FinalTranscript LiveTail::heard(Tail& tail, bool& with_calls) {
  transcript::FinalTranscript heard;
  transcript::Transcript::Contents contents = tail.fold.contents(/*with_tool_calls=*/false);
  std::vector<std::string> ids = ids_of(contents.turns);
  with_calls = with_calls || tail.calls_stale || tail.tools_version != tail.fold.tools_version() ||
               tail.turn_ids != ids;
  if (with_calls) contents = tail.fold.contents();
  tail.tools_version = tail.fold.tools_version();
  tail.turn_ids = std::move(ids);
  tail.calls_stale = false;
  heard.turns = std::move(contents.turns);
  heard.gaps = std::move(contents.gaps);
  heard.tool_calls = std::move(contents.tool_calls);
  return heard;
}

void LiveTail::refresh(sqlite::Database& database, const store::TailKey& key, Tail& tail) {
  const auto attempt = find_attempt(database, key.session_id, key.attempt);
  const store::TailState* const before =
      tail.state && tail.state->generation > 0 ? tail.state.get() : nullptr;
  const SessionStatus status = attempt ? attempt->status : SessionStatus::created;
  const bool gone = !attempt && !(tail.attempt == 0 && is_there(database, key.session_id));
  bool news = !before || before->head.status != status || before->gone != gone;
  if (!news && (!tail.stale || status == SessionStatus::final)) return;

  auto next = std::make_shared<store::TailState>();
  next->generation = generation_ + 1;
  next->gone = gone;
  next->mark = {key.attempt, false, rows_to_};
  if (tail.state) {
    next->turns = tail.state->turns;
    next->calls = tail.state->calls;
  }
  if (!attempt) {
    next->head.session_id = key.session_id;
    next->head.attempt = key.attempt;
    next->head.status = status;
  } else if (status == SessionStatus::final) {
    auto merged = merged_transcript(database, *attempt);
    next->mark = {key.attempt, true, newest_copy(database, attempt->id)};
    next->head = head_of(key.session_id, *attempt);
    show_end(*next, std::move(merged));
  } else {
    next->head = head_of(key.session_id, *attempt);
    bool with_calls = false;
    auto merged = transcript::merge(heard(tail, with_calls), tail.copies);
    // Whether a copy was there when an earlier state was made is not recorded.
    const std::uint64_t changed = tail.copies.empty() ? rows_to_ : store::TailTurn::always;
    news |= update(next->turns, std::move(merged.turns), changed, next->generation);
    if (with_calls)
      news |= update(next->calls, std::move(merged.tool_calls), changed, next->generation);
  }
  tail.stale = false;
  if (!news) return;
  generation_ = next->generation;
  tail.state = std::move(next);
}

}  // namespace verbatim::rows
