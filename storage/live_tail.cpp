#include "storage/live_tail.hpp"

#include <algorithm>
#include <charconv>
#include <set>
#include <utility>

#include "storage/database.hpp"
#include "storage/event_codec.hpp"
#include "storage/evidence.hpp"

namespace verbatim::storage {
namespace {

using session::SessionStatus;
using Turns = std::vector<std::shared_ptr<const TailTurn>>;

std::uint64_t newest_row(Database& database) {
  Query row = database.query("SELECT coalesce(max(seq), 0) FROM journal");
  return row.step() ? static_cast<std::uint64_t>(row.integer(0)) : 0;
}

std::uint64_t newest_copy(Database& database, session::AttemptId attempt) {
  Query row = database.query("SELECT coalesce(max(id), 0) FROM copy WHERE attempt = ?");
  return row.bind(attempt).step() ? static_cast<std::uint64_t>(row.integer(0)) : 0;
}

bool is_there(Database& database, const std::string& session_id) {
  Query row = database.query("SELECT 1 FROM session WHERE public_id = ?");
  return row.bind(session_id).step();
}

session::TranscriptView head_of(const std::string& session_id, const AttemptRow& attempt) {
  session::TranscriptView head;
  head.session_id = session_id;
  head.attempt = attempt.number;
  head.status = attempt.status;
  head.started_at = attempt.started_at;
  head.ended_at = attempt.ended_at;
  head.close_reason = attempt.close_reason;
  return head;
}

/// Those that are as they were stay the same objects. True if any is not, or one less is there.
bool update(Turns& turns, std::vector<session::MergedTurn> fresh, std::uint64_t changed,
            std::uint64_t generation) {
  bool any = fresh.size() < turns.size();
  turns.resize(std::min(turns.size(), fresh.size()));
  for (std::size_t i = 0; i < fresh.size(); ++i) {
    if (i < turns.size() && turns[i]->turn == fresh[i]) continue;
    auto turn = std::make_shared<TailTurn>();
    turn->json = session::render_turn(fresh[i]);
    turn->turn = std::move(fresh[i]);
    turn->changed = changed;
    turn->generation = generation;
    if (i < turns.size()) {
      turns[i] = std::move(turn);
    } else {
      turns.push_back(std::move(turn));
    }
    any = true;
  }
  return any;
}

/// What the end of an attempt shows; its turns those that `since` did not have, or all.
std::shared_ptr<const TailState> end_of(Database& database, const std::string& session_id,
                                        const AttemptRow& attempt,
                                        const std::optional<TailMark>& since) {
  auto state = std::make_shared<TailState>();
  state->head = head_of(session_id, attempt);
  state->mark = {attempt.number, true, newest_copy(database, attempt.id)};
  auto merged = merged_transcript(database, attempt);
  if (since && since->attempt == attempt.number && since->final) {
    const auto earlier =
        session::merge(heard_by_relay(database, attempt),
                       copies_of(database, attempt.id, static_cast<std::int64_t>(since->number)));
    update(state->turns, earlier.turns, 0, 0);
  }
  update(state->turns, merged.turns, TailTurn::always, 1);
  state->generation = 1;
  state->head.show(std::move(merged));
  state->head.turns.clear();
  return state;
}

template <class Number>
bool take_number(std::string_view& text, Number& number) {
  const auto [end, error] = std::from_chars(text.data(), text.data() + text.size(), number);
  if (error != std::errc()) return false;
  text.remove_prefix(static_cast<std::size_t>(end - text.data()));
  return true;
}

}  // namespace

std::string to_string(const TailMark& mark) {
  return std::to_string(mark.attempt) + (mark.final ? ".final." : ".") +
         std::to_string(mark.number);
}

std::optional<TailMark> tail_mark_from_string(std::string_view text) {
  TailMark mark;
  if (!take_number(text, mark.attempt) || mark.attempt < 1) return std::nullopt;
  constexpr std::string_view final = ".final.";
  mark.final = text.starts_with(final);
  if (!text.starts_with('.')) return std::nullopt;
  text.remove_prefix(mark.final ? final.size() : 1);
  // Sequences and ids are SQLite's: they fit into 63 bits.
  if (!take_number(text, mark.number) || !text.empty() || mark.number > INT64_MAX)
    return std::nullopt;
  return mark;
}

std::vector<std::shared_ptr<const TailTurn>> unseen(const TailState& state, const TailState* before,
                                                    std::uint64_t seen) {
  Turns turns;
  for (const auto& turn : state.turns)
    if (before ? turn->generation > before->generation : turn->changed > seen)
      turns.push_back(turn);
  return turns;
}

std::optional<TailStart> start_tail(Database& database, const std::string& session_id,
                                    std::optional<int> attempt,
                                    const std::optional<TailMark>& seen) {
  Savepoint snapshot(database);
  TailStart start;
  start.key = {session_id, attempt.value_or(1)};
  const auto found = find_attempt(database, session_id, attempt);
  if (!found) {
    Query none = database.query(
        "SELECT 1 FROM session WHERE public_id = ? AND NOT EXISTS "
        "(SELECT 1 FROM attempt WHERE session = session.id)");
    if (attempt.value_or(1) != 1 || !none.bind(session_id).step()) return std::nullopt;
    return start;
  }
  start.key.attempt = found->number;
  if (found->status == SessionStatus::final) {
    const TailMark now{found->number, true, newest_copy(database, found->id)};
    start.nothing_new = seen == now;
    if (!start.nothing_new) start.ended = end_of(database, session_id, *found, seen);
  }
  if (attempt || !seen || seen->attempt >= found->number) return start;
  const auto earlier = find_attempt(database, session_id, seen->attempt);
  if (earlier && earlier->status == SessionStatus::final &&
      seen != TailMark{earlier->number, true, newest_copy(database, earlier->id)})
    start.before = end_of(database, session_id, *earlier, seen);
  return start;
}

std::vector<std::pair<TailKey, std::shared_ptr<const TailState>>> LiveTail::look(
    Database& database, const std::vector<Wanted>& wanted) {
  Savepoint snapshot(database);
  std::map<TailKey, const Wanted*> asked;
  for (const Wanted& one : wanted) asked.emplace(one.key, &one);
  std::erase_if(tails_, [&](const auto& entry) {
    if (asked.contains(entry.first)) return false;
    by_attempt_.erase(entry.second.attempt);
    return true;
  });
  read_rows(database);
  read_copies(database);
  std::vector<std::pair<TailKey, std::shared_ptr<const TailState>>> states;
  for (const auto& [key, one] : asked) {
    Tail& tail = tails_[key];
    if (tail.attempt == 0) begin(database, tail, *one);
    refresh(database, key, tail);
    states.emplace_back(key, tail.state);
  }
  return states;
}

/// All rows that have come since the last look, once for all who are watched.
void LiveTail::read_rows(Database& database) {
  if (by_attempt_.empty()) {
    rows_to_ = std::max(rows_to_, newest_row(database));
    return;
  }
  Query rows =
      database.query("SELECT seq, attempt, at, body FROM journal WHERE seq > ? ORDER BY seq");
  rows.bind(rows_to_);
  while (rows.step()) {
    rows_to_ = static_cast<session::Sequence>(rows.integer(0));
    const auto at = by_attempt_.find(rows.integer(1));
    if (at == by_attempt_.end()) continue;
    at->second->stale = true;
    if (const auto event = decode_event(rows.blob(3)))
      at->second->fold.apply(*event, rows.integer(2));
  }
}

void LiveTail::read_copies(Database& database) {
  std::int64_t to = copies_to_;
  std::set<session::AttemptId> posted;
  if (by_attempt_.empty()) {
    Query newest = database.query("SELECT coalesce(max(id), 0) FROM copy");
    if (newest.step()) to = newest.integer(0);
  } else {
    Query rows = database.query("SELECT id, attempt FROM copy WHERE id > ? ORDER BY id");
    rows.bind(copies_to_);
    while (rows.step()) {
      to = rows.integer(0);
      posted.insert(rows.integer(1));
    }
  }
  for (const session::AttemptId attempt : posted) {
    const auto at = by_attempt_.find(attempt);
    if (at == by_attempt_.end()) continue;
    at->second->copies = copies_of(database, attempt);
    at->second->stale = true;
  }
  copies_to_ = to;
}

/// From the beginning of the attempt, if there is one by now; what the first watcher has seen apart
/// from what came after it.
void LiveTail::begin(Database& database, Tail& tail, const Wanted& wanted) {
  const auto attempt = find_attempt(database, wanted.key.session_id, wanted.key.attempt);
  if (!attempt) return;
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

void LiveTail::fold(Database& database, Tail& tail, std::uint64_t seen) {
  const auto remember = [&] {
    session::FinalTranscript heard;
    heard.turns = tail.fold.turns();
    auto state = std::make_shared<TailState>();
    update(state->turns, session::merge(heard, {}).turns, seen, generation_ + 1);
    tail.state = std::move(state);
  };
  // With copies nobody can tell how it looked.
  bool remembered = seen == 0 || !tail.copies.empty();
  Query first = database.query("SELECT first_seq FROM attempt WHERE id = ?");
  first.bind(tail.attempt).step();
  Query rows = database.query(
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

void LiveTail::refresh(Database& database, const TailKey& key, Tail& tail) {
  const auto attempt = find_attempt(database, key.session_id, key.attempt);
  const TailState* const before =
      tail.state && tail.state->generation > 0 ? tail.state.get() : nullptr;
  const SessionStatus status = attempt ? attempt->status : SessionStatus::created;
  const bool gone = !attempt && !(tail.attempt == 0 && is_there(database, key.session_id));
  bool news = !before || before->head.status != status || before->gone != gone;
  if (!news && (!tail.stale || status == SessionStatus::final)) return;

  auto next = std::make_shared<TailState>();
  next->generation = generation_ + 1;
  next->gone = gone;
  next->mark = {key.attempt, false, rows_to_};
  if (tail.state) next->turns = tail.state->turns;
  if (!attempt) {
    next->head.session_id = key.session_id;
    next->head.attempt = key.attempt;
    next->head.status = status;
  } else if (status == SessionStatus::final) {
    auto merged = merged_transcript(database, *attempt);
    next->mark = {key.attempt, true, newest_copy(database, attempt->id)};
    update(next->turns, merged.turns, TailTurn::always, next->generation);
    next->head = head_of(key.session_id, *attempt);
    next->head.show(std::move(merged));
    next->head.turns.clear();
  } else {
    next->head = head_of(key.session_id, *attempt);
    session::FinalTranscript heard;
    heard.turns = tail.fold.turns();
    heard.gaps = tail.fold.gaps();
    // Whether a copy was there at the time of an earlier state is not written down.
    news |= update(next->turns, session::merge(heard, tail.copies).turns,
                   tail.copies.empty() ? rows_to_ : TailTurn::always, next->generation);
  }
  tail.stale = false;
  if (!news) return;
  generation_ = next->generation;
  tail.state = std::move(next);
}

}  // namespace verbatim::storage
