#include "storage/rows/session_import.hpp"

#include <algorithm>
#include <map>
#include <utility>

#include "storage/rows/attempt_reader.hpp"
#include "storage/rows/change_tracking.hpp"
#include "storage/rows/fold.hpp"
#include "storage/rows/recovering.hpp"
#include "storage/rows/row_writer.hpp"
#include "storage/rows/shipped_rows.hpp"
#include "storage/rows/transcript_store.hpp"
#include "storage/sqlite/database.hpp"

namespace verbatim::rows {
namespace {

using transcript::Sequence;
using transcript::SessionStatus;

/// Writes the rows of one session.
class Importing {
 public:
  Importing(sqlite::Database& database, const store::MovedSession& session, Sequence last)
      : database_(database),
        session_(session),
        content_(session.content),
        first_seq_(last - numbers_of(session) + 1) {}

  void run() {
    row_ = insert_session(database_, content_.sessions.front());
    for (const store::ShippedAttempt& one : content_.attempts) write_attempt(one);
    for (const store::ShippedSettledTurn& one : content_.turns)
      insert_shipped_turn(database_, attempt(one.attempt), one.turn);
    for (const store::ShippedRecord& one : content_.records)
      for (const store::ShippedToolCall& call : one.tool_calls)
        insert_shipped_call(database_, attempt(one.attempt), call);
    write_events();
    for (const store::ShippedCopy& one : content_.copies)
      insert_shipped_copy(database_, attempt(one.attempt), one);
    for (const store::ShippedMessage& one : content_.messages) write_message(one);
    for (const store::ShippedToken& one : content_.tokens) insert_shipped_token(database_, one);
    for (const store::ShippedAttempt& one : content_.attempts) finish_attempt(one);
  }

  /// Writes the client tokens of a session that has no row yet.
  void tokens_alone() {
    for (const store::ShippedToken& one : content_.tokens) insert_shipped_token(database_, one);
  }

 private:
  void write_attempt(const store::ShippedAttempt& one) {
    const bool relayed = one.status != static_cast<int>(SessionStatus::created);
    const bool open = relayed && !one.ended_at;
    AttemptHere here;
    if (relayed) here.first_seq = first_seq_;
    if (open) here.taken_upto = first_seq_ + content_.events.size() - 1;
    here.tail_pending = open && session_.tail_pending;
    attempts_[one.name.number] = insert_attempt(database_, row_, one, here);
  }

  void write_events() {
    Sequence next = first_seq_;
    for (const store::ShippedEvent& one : content_.events)
      insert_event(database_, next++, attempt(content_.attempt_names[one.attempt]), one.at,
                   one.body);
  }

  void write_message(const store::ShippedMessage& one) {
    database_
        .query(
            "INSERT INTO message (public_id, kind, attempt, item_id, created_at) "
            "VALUES (?, ?, ?, ?, ?)")
        .bind(one.id, one.kind, attempt(one.attempt), one.item_id, one.created_at)
        .run();
    const std::int64_t message = database_.last_insert_id();
    for (const store::ShippedDelivery& each : one.deliveries)
      database_
          .query(
              "INSERT INTO delivery (message, target, state, tries, refusals, due_at, last_error, "
              "session) VALUES (?, ?, ?, ?, ?, ?, ?, ?)")
          .bind(message, each.target, each.state, each.tries, each.refusals, each.due_at,
                each.last_error, row_)
          .run();
  }

  /// Lets an open attempt wait for its client; announces any other to the search index.
  void finish_attempt(const store::ShippedAttempt& one) {
    const transcript::AttemptId id = attempt(one.name);
    if (one.ended_at || one.copies > 0) note_change(database_, id);
    if (one.ended_at || one.status == static_cast<int>(SessionStatus::created)) return;
    if (one.suspended_at && one.status == static_cast<int>(SessionStatus::detached)) {
      database_.query("UPDATE attempt SET suspended_at = ? WHERE id = ?")
          .bind(session_.waits_since, id)
          .run();
      return;
    }
    Folded folded = fold(database_, id, first_seq_);
    if (folded.settings_json.empty()) return end(id, one, folded);
    leave_open(database_, id, folded, first_seq_ + content_.events.size(), session_.waits_since,
               /*counts=*/false);
  }

  /// Ends an attempt that the provider never began: no client can continue it.
  void end(transcript::AttemptId id, const store::ShippedAttempt& one, Folded& folded) {
    transcript::Ending ending;
    ending.reason = transcript::CloseReason::crash_recovered;
    ending.ended_at = std::max({folded.last_at, folded.transcript.latest(), one.started_at});
    ending.transcript = transcript::finalise(folded.transcript, ending.ended_at);
    finalise_attempt(database_, id, ending);
  }

  transcript::AttemptId attempt(const store::AttemptName& name) const {
    const auto found = attempts_.find(name.number);
    if (found == attempts_.end())
      throw store::StorageError(store::Failure::other, "session " + name.session_id + ": attempt " +
                                                           std::to_string(name.number) +
                                                           " is missing in the fleet's database");
    return found->second;
  }

  sqlite::Database& database_;
  const store::MovedSession& session_;
  const store::Shipment& content_;
  const Sequence first_seq_;
  std::int64_t row_ = 0;
  std::map<int, transcript::AttemptId> attempts_;
};

bool has_open_attempt(sqlite::Database& database, const std::string& id) {
  sqlite::Query row = database.query(
      "SELECT 1 FROM attempt JOIN session ON session.id = attempt.session "
      "WHERE public_id = ? AND ended_at IS NULL AND status <> 0");
  return row.bind(id).step();
}

/// Deletes a tracked change that concerns this store alone: the database elsewhere must not follow
/// it.
void leave_no_trace(sqlite::Database& database, ChangeKind kind, const std::string& key) {
  database.query("DELETE FROM dirty WHERE kind = ? AND key = ?")
      .bind(static_cast<int>(kind), key)
      .run();
}

bool same_words(const transcript::Turn& one, const transcript::Turn& other) {
  return one.role == other.role && one.status == other.status && one.text == other.text;
}

transcript::CopyTurn copied(const transcript::Turn& turn) {
  return {std::nullopt, turn.item_id,    turn.role,    turn.status,
          turn.text,    turn.started_at, turn.ended_at};
}

std::vector<transcript::CopyTurn> turns_behind(sqlite::Database& database,
                                               transcript::AttemptId attempt, Sequence first_seq,
                                               Sequence known_upto) {
  Folded all = fold(database, attempt, first_seq);
  Folded before = fold(database, attempt, first_seq, {}, known_upto);
  std::map<std::string, transcript::Turn> known;
  for (transcript::Turn& turn : transcript::finalise(before.transcript, before.last_at).turns)
    known.emplace(turn.item_id, std::move(turn));
  std::vector<transcript::CopyTurn> tail;
  std::optional<transcript::CopyTurn> previous;  // shows a reader where the tail belongs
  for (const transcript::Turn& turn : transcript::finalise(all.transcript, all.last_at).turns) {
    const auto there = known.find(turn.item_id);
    const bool shipped_so = there != known.end() && same_words(there->second, turn);
    if (!shipped_so) {
      if (previous) tail.push_back(*std::exchange(previous, std::nullopt));
      tail.push_back(copied(turn));
    } else {
      previous = copied(turn);
    }
  }
  return tail;
}

}  // namespace

/// One number for each event, and one more for the loss of the provider's connection.
Sequence numbers_of(const store::MovedSession& session) {
  return session.content.events.size() + 1;
}

bool import_session(sqlite::Database& database, const store::MovedSession& session, Sequence last) {
  if (session.content.sessions.empty()) {
    Importing(database, session, last).tokens_alone();
    return true;
  }
  const std::string& id = session.content.sessions.front().id;
  if (has_open_attempt(database, id)) return false;
  forget_session(database, id);
  Importing(database, session, last).run();
  return true;
}

Sequence taken_upto(sqlite::Database& database, transcript::AttemptId attempt) {
  sqlite::Query row = database.query("SELECT taken_upto FROM attempt WHERE id = ?");
  return row.bind(attempt).step() ? static_cast<Sequence>(row.integer(0)) : 0;
}

void forget_session(sqlite::Database& database, const std::string& id) {
  std::vector<std::string> messages;
  {
    sqlite::Query rows = database.query(
        "SELECT message.public_id FROM message JOIN attempt ON attempt.id = message.attempt "
        "JOIN session ON session.id = attempt.session WHERE session.public_id = ?");
    rows.bind(id);
    while (rows.step()) messages.push_back(rows.text(0));
  }
  if (!remove_session(database, id)) return;
  leave_no_trace(database, ChangeKind::erased, id);
  for (const std::string& message : messages)
    leave_no_trace(database, ChangeKind::message, message);
}

std::vector<store::OpenSession> open_sessions(sqlite::Database& database) {
  std::vector<store::OpenSession> open;
  sqlite::Query rows = database.query(
      "SELECT DISTINCT public_id, user FROM attempt JOIN session ON session.id = attempt.session "
      "WHERE ended_at IS NULL AND status <> 0");
  while (rows.step()) open.push_back({rows.text(0), rows.text(1)});
  return open;
}

std::vector<store::StoredSession> find_stored(sqlite::Database& database,
                                              const std::vector<std::string>& ids) {
  std::vector<store::StoredSession> stored;
  for (const std::string& id : ids) {
    sqlite::Query row = database.query(
        "SELECT EXISTS (SELECT 1 FROM session WHERE public_id = ?1), "
        "EXISTS (SELECT 1 FROM client_secret WHERE session = ?1)");
    row.bind(id).step();
    const bool session = row.integer(0) != 0;
    if (session || row.integer(1) != 0) stored.push_back({id, !session});
  }
  return stored;
}

std::vector<store::Tail> tails_of(sqlite::Database& database, const std::string& id,
                                  Sequence shipped) {
  struct Unshipped {
    transcript::AttemptId attempt = 0;
    int number = 0;
    Sequence first_seq = 0;
    Sequence known_upto = 0;
  };
  std::vector<Unshipped> unshipped;
  {
    sqlite::Query rows = database.query(
        "SELECT attempt.id, number, first_seq, max(taken_upto, ?2) FROM attempt "
        "JOIN session ON session.id = attempt.session WHERE public_id = ?1 AND EXISTS "
        "(SELECT 1 FROM journal WHERE seq > ?2 AND seq > taken_upto AND "
        "journal.attempt = attempt.id) ORDER BY number");
    rows.bind(id, shipped);
    while (rows.step())
      unshipped.push_back({rows.integer(0), static_cast<int>(rows.integer(1)),
                           static_cast<Sequence>(rows.integer(2)),
                           static_cast<Sequence>(rows.integer(3))});
  }
  std::vector<store::Tail> tails;
  for (const Unshipped& one : unshipped) {
    auto turns = turns_behind(database, one.attempt, one.first_seq, one.known_upto);
    if (!turns.empty()) tails.push_back({one.number, std::move(turns)});
  }
  return tails;
}

std::vector<store::AttemptName> pending_tails(sqlite::Database& database) {
  std::vector<store::AttemptName> names;
  sqlite::Query rows = database.query(
      "SELECT public_id, number FROM attempt JOIN session ON session.id = attempt.session "
      "WHERE tail_pending");
  while (rows.step()) names.push_back({rows.text(0), static_cast<int>(rows.integer(1))});
  return names;
}

void end_pending_tail(sqlite::Database& database, const store::AttemptName& attempt) {
  database
      .query(
          "UPDATE attempt SET tail_pending = 0 WHERE number = ? AND tail_pending AND "
          "session = (SELECT id FROM session WHERE public_id = ?)")
      .bind(attempt.number, attempt.session_id)
      .run();
}

}  // namespace verbatim::rows
