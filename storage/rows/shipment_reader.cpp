#include "storage/rows/shipment_reader.hpp"

#include <algorithm>
#include <map>
#include <optional>
#include <set>
#include <string>
#include <utility>

#include "storage/rows/row_writer.hpp"
#include "storage/rows/session_import.hpp"
#include "storage/rows/shipped_rows.hpp"
#include "storage/sqlite/database.hpp"

namespace verbatim::rows {
namespace {

using transcript::AttemptId;
using transcript::Sequence;

/// Limit on the rows that a read in catch-up skips, for each event that it may take. It keeps that
/// read's snapshot short.
constexpr std::size_t passed_over_max = 10;
/// Names of attempts kept from one read to the next; more are read again.
constexpr std::size_t names_max = 10'000;

/// A row of `dirty`.
struct Changed {
  ChangeKind kind = ChangeKind::erased;
  std::int64_t row = 0;  ///< for kinds whose key is a row
  std::string name;      ///< for the others
  Sequence seq = 0;
};

bool is_named(ChangeKind kind) {
  return kind == ChangeKind::erased || kind == ChangeKind::message || kind == ChangeKind::token;
}

std::optional<std::string> optional_text(const sqlite::Query& row, int column) {
  if (row.is_null(column)) return std::nullopt;
  return row.text(column);
}
int number_in(const sqlite::Query& row, int column) {
  return static_cast<int>(row.integer(column));
}

std::size_t size_of_text(const std::optional<std::string>& text) { return text ? text->size() : 0; }

/// The columns of read_shipped_turn().
constexpr const char* turn_columns =
    "item_id, ordinal, role, status, text, heard_ms, heard_text, reason, deleted, response_id, "
    "started_at, ended_at, audio_ms";

store::ShippedTurn read_shipped_turn(const sqlite::Query& row) {
  store::ShippedTurn turn;
  turn.item_id = row.text(0);
  turn.ordinal = number_in(row, 1);
  turn.role = number_in(row, 2);
  turn.status = number_in(row, 3);
  turn.text = row.text(4);
  turn.heard_ms = row.optional_integer(5);
  turn.heard_text = optional_text(row, 6);
  turn.reason = row.text(7);
  turn.deleted = row.integer(8) != 0;
  turn.response_id = row.text(9);
  turn.started_at = row.optional_integer(10);
  turn.ended_at = row.optional_integer(11);
  turn.audio_ms = row.integer(12);
  return turn;
}
std::size_t size_of(const store::ShippedTurn& turn) {
  return sizeof turn + turn.item_id.size() + turn.text.size() + size_of_text(turn.heard_text) +
         turn.reason.size() + turn.response_id.size();
}

store::ShippedToolCall read_shipped_call(const sqlite::Query& row) {
  store::ShippedToolCall call;
  call.number = number_in(row, 0);
  call.after = number_in(row, 1);
  call.item_id = row.text(2);
  call.call_id = row.text(3);
  call.kind = number_in(row, 4);
  call.status = number_in(row, 5);
  call.name = row.text(6);
  call.server = row.text(7);
  call.arguments = row.text(8);
  call.output = optional_text(row, 9);
  call.error = row.text(10);
  call.approval_json = optional_text(row, 11);
  call.deleted = row.integer(12) != 0;
  call.response_id = row.text(13);
  call.started_at = row.optional_integer(14);
  call.ended_at = row.optional_integer(15);
  return call;
}
std::size_t size_of(const store::ShippedToolCall& call) {
  return sizeof call + call.item_id.size() + call.call_id.size() + call.name.size() +
         call.server.size() + call.arguments.size() + size_of_text(call.output) +
         call.error.size() + size_of_text(call.approval_json) + call.response_id.size();
}

std::optional<store::AttemptName> name_of(sqlite::Database& database, AttemptId attempt) {
  sqlite::Query row = database.query(
      "SELECT public_id, number FROM attempt JOIN session ON session.id = attempt.session "
      "WHERE attempt.id = ?");
  if (!row.bind(attempt).step()) return std::nullopt;
  return store::AttemptName{row.text(0), number_in(row, 1)};
}

bool has_ended(sqlite::Database& database, AttemptId attempt) {
  sqlite::Query row = database.query("SELECT ended_at IS NOT NULL FROM attempt WHERE id = ?");
  return row.bind(attempt).step() && row.integer(0) != 0;
}

/// Builds one shipment.
class Reading {
 public:
  Reading(sqlite::Database& database, const ShippingState& state, store::Shipment& shipment)
      : database_(database), state_(state), shipment_(shipment) {}

  /// Returns the number up to which all events were read.
  template <class Names>
  Sequence read_events(const store::ShipmentLimits& limits, bool catch_up, Names& names);
  void read_changes(Sequence end, const store::ShipmentLimits& limits);
  void read_ahead();

 private:
  std::vector<Changed> changes_up_to(Sequence end, std::size_t limit);
  void read(const Changed& changed);
  void read_session(std::int64_t id);
  void read_attempt(AttemptId id, bool with_record);
  void read_record(AttemptId id);
  void read_turn(std::int64_t id);
  void read_copy(std::int64_t id);
  void read_message(const std::string& id);
  void read_deliveries(store::ShippedMessage& message, std::int64_t row);
  void read_token(const std::string& id);
  bool comes_later(ChangeKind kind, std::int64_t key) const;
  void count(std::size_t bytes) { shipment_.bytes += bytes; }

  sqlite::Database& database_;
  const ShippingState& state_;
  store::Shipment& shipment_;
  Sequence upto_ = 0;                ///< the number that rows are read for
  std::set<AttemptId> named_;        ///< attempts that something in the shipment names
  std::set<std::int64_t> sessions_;  ///< that were read
  struct ReadAttempt {
    std::size_t index = 0;
    bool shown_open = false;
  };
  std::map<AttemptId, ReadAttempt> attempts_;
};

template <class Names>
Sequence Reading::read_events(const store::ShipmentLimits& limits, bool catch_up, Names& names) {
  struct Entry {
    std::size_t index = 0;
    bool left_out = false;
    Sequence taken_upto = 0;
  };
  std::unordered_map<AttemptId, Entry> entries;
  using Named = typename Names::mapped_type;
  const auto entry_of = [&](AttemptId attempt) {
    const auto known = entries.find(attempt);
    if (known != entries.end()) return known->second;
    Entry entry;
    auto name = names.find(attempt);
    if (name == names.end()) {
      auto found = name_of(database_, attempt);
      if (found)
        name =
            names.emplace(attempt, Named{*std::move(found), taken_upto(database_, attempt)}).first;
      entry.left_out = !found;
    }
    if (!entry.left_out && catch_up) entry.left_out = has_ended(database_, attempt);
    if (!entry.left_out) {
      entry.index = shipment_.attempt_names.size();
      shipment_.attempt_names.push_back(name->second.name);
      entry.taken_upto = name->second.taken_upto;
      named_.insert(attempt);
    }
    entries.emplace(attempt, entry);
    return entry;
  };
  sqlite::Query rows =
      database_.query("SELECT seq, attempt, at, body FROM journal WHERE seq > ? ORDER BY seq");
  rows.bind(shipment_.after);
  Sequence end = shipment_.after;
  for (std::size_t seen = 0; rows.step(); ++seen) {
    if (shipment_.events.size() >= limits.events_max || shipment_.bytes >= limits.bytes_max ||
        seen >= limits.events_max * passed_over_max) {
      shipment_.more = true;
      return end;
    }
    end = static_cast<Sequence>(rows.integer(0));
    const Entry entry = entry_of(rows.integer(1));
    if (entry.left_out || end <= entry.taken_upto) continue;
    const std::string_view body = rows.blob(3);
    shipment_.events.push_back({end, entry.index, rows.integer(2), std::string(body)});
    count(sizeof(store::ShippedEvent) + body.size());
  }
  return end;
}

std::vector<Changed> Reading::changes_up_to(Sequence end, std::size_t limit) {
  std::vector<Changed> found;
  sqlite::Query rows = database_.query(
      "SELECT kind, key, seq FROM dirty WHERE seq > ? AND seq <= ? ORDER BY seq, kind");
  rows.bind(shipment_.after, end);
  while (rows.step()) {
    Changed one;
    one.kind = static_cast<ChangeKind>(rows.integer(0));
    one.seq = static_cast<Sequence>(rows.integer(2));
    if (found.size() >= limit && found.back().seq != one.seq) break;
    is_named(one.kind) ? void(one.name = rows.text(1)) : void(one.row = rows.integer(1));
    found.push_back(std::move(one));
  }
  return found;
}

/// The rows of one number stay together: they are one change.
void Reading::read_changes(Sequence end, const store::ShipmentLimits& limits) {
  const bool all_events = !shipment_.more;
  // Only numbers up to here are whole if events were left for the next shipment.
  const Sequence last = all_events ? INT64_MAX : end;
  const std::vector<Changed> changes = changes_up_to(last, limits.events_max);
  const std::size_t bytes_max = shipment_.bytes + limits.bytes_max;
  std::size_t next = 0;
  while (next < changes.size() && shipment_.bytes < bytes_max) {
    upto_ = changes[next].seq;
    for (; next < changes.size() && changes[next].seq == upto_; ++next) read(changes[next]);
  }
  const bool all_read = next == changes.size() && changes.size() < limits.events_max;
  shipment_.more |= !all_read;
  shipment_.upto = all_read ? std::max(end, upto_) : upto_;
  while (!shipment_.events.empty() && shipment_.events.back().seq > shipment_.upto)
    shipment_.events.pop_back();
}

/// A row needs its attempt and its session: if one of these was changed again later, it comes now
/// as well.
void Reading::read_ahead() {
  if (named_.empty()) return;
  upto_ = shipment_.upto;
  if (state_.attempts_marked == INT64_MAX) {
    sqlite::Query later = database_.query("SELECT 1 FROM dirty WHERE seq > ? OR seq <= 0 LIMIT 1");
    if (!later.bind(shipment_.upto).step()) return;
  }
  for (const AttemptId id : named_) {
    std::int64_t session = 0;
    {
      sqlite::Query row = database_.query("SELECT session FROM attempt WHERE id = ?");
      if (row.bind(id).step()) session = row.integer(0);
    }
    if (comes_later(ChangeKind::session, session)) read_session(session);
    if (comes_later(ChangeKind::attempt, id)) read_attempt(id, false);
  }
}

/// True if the row's change is not in the stream up to `upto_`.
bool Reading::comes_later(ChangeKind kind, std::int64_t key) const {
  sqlite::Query row =
      database_.query("SELECT seq > ? OR seq <= 0 FROM dirty WHERE kind = ? AND key = ?");
  if (row.bind(upto_, static_cast<int>(kind), key).step()) return row.integer(0) != 0;
  return key > (kind == ChangeKind::session ? state_.sessions_marked : state_.attempts_marked);
}

void Reading::read(const Changed& changed) {
  switch (changed.kind) {
    case ChangeKind::erased:
      return shipment_.erased.push_back(changed.name);
    case ChangeKind::session:
      return read_session(changed.row);
    case ChangeKind::attempt:
      return read_attempt(changed.row, false);
    case ChangeKind::record:
      return read_record(changed.row);
    case ChangeKind::turn:
      return read_turn(changed.row);
    case ChangeKind::copy:
      return read_copy(changed.row);
    case ChangeKind::message:
      return read_message(changed.name);
    case ChangeKind::token:
      return read_token(changed.name);
  }
}

void Reading::read_session(std::int64_t id) {
  if (!sessions_.insert(id).second) return;
  store::ShippedSession session;
  {
    sqlite::Query row = database_.query(
        "SELECT public_id, user, metadata, private, created_at, idempotency, request FROM session "
        "WHERE id = ?");
    if (!row.bind(id).step()) return;
    session.id = row.text(0);
    session.user = row.text(1);
    session.metadata_json = row.text(2);
    session.private_json = row.text(3);
    session.created_at = row.integer(4);
    session.idempotency = optional_text(row, 5);
    session.request = optional_text(row, 6);
  }
  sqlite::Query tokens =
      database_.query("SELECT token FROM token_use WHERE session = ? ORDER BY token");
  tokens.bind(id);
  while (tokens.step()) session.tokens.push_back(tokens.text(0));
  count(sizeof session + session.id.size() + session.user.size() + session.metadata_json.size() +
        session.private_json.size());
  shipment_.sessions.push_back(std::move(session));
}

/// Shows the attempt as it was before its end.
void show_as_open(store::ShippedAttempt& attempt) {
  attempt.status = static_cast<int>(transcript::SessionStatus::live);
  attempt.ended_at = std::nullopt;
  attempt.close_reason = std::nullopt;
  attempt.complete = false;
  attempt.gaps_json = attempt.usage_json = "[]";
  attempt.suspended_at = std::nullopt;
  attempt.settings_json = std::nullopt;
  attempt.merged_turns = std::nullopt;
  attempt.merged_complete = std::nullopt;
}

/// `with_record`: its record is in this shipment. Otherwise an attempt whose record comes later is
/// shown as it was before its end.
void Reading::read_attempt(AttemptId id, bool with_record) {
  const auto known = attempts_.find(id);
  if (known != attempts_.end() && !(with_record && known->second.shown_open)) return;
  auto stored = read_shipped_attempt(database_, id);
  if (!stored) return;
  store::ShippedAttempt attempt = *std::move(stored);
  const bool show_open = !with_record && attempt.ended_at && comes_later(ChangeKind::record, id);
  if (show_open) show_as_open(attempt);
  count(sizeof attempt + attempt.name.session_id.size() + attempt.gaps_json.size() +
        attempt.usage_json.size() + size_of_text(attempt.settings_json));
  named_.insert(id);
  if (known != attempts_.end()) {
    known->second.shown_open = false;
    shipment_.attempts[known->second.index] = std::move(attempt);
    return;
  }
  attempts_[id] = {shipment_.attempts.size(), show_open};
  shipment_.attempts.push_back(std::move(attempt));
}

void Reading::read_record(AttemptId id) {
  auto name = name_of(database_, id);
  if (!name || !has_ended(database_, id)) return;
  read_attempt(id, true);
  store::ShippedRecord record;
  record.attempt = *std::move(name);
  {
    sqlite::Query rows = database_.query(std::string("SELECT ") + turn_columns +
                                         " FROM turn WHERE attempt = ? ORDER BY ordinal, id");
    rows.bind(id);
    while (rows.step()) {
      record.turns.push_back(read_shipped_turn(rows));
      count(size_of(record.turns.back()));
    }
  }
  sqlite::Query rows = database_.query(
      "SELECT number, after, item_id, call_id, kind, status, name, server, arguments, output, "
      "error, approval, deleted, response_id, started_at, ended_at FROM tool_call "
      "WHERE attempt = ? ORDER BY number");
  rows.bind(id);
  while (rows.step()) {
    record.tool_calls.push_back(read_shipped_call(rows));
    count(size_of(record.tool_calls.back()));
  }
  shipment_.records.push_back(std::move(record));
}

/// The turns of an attempt that has ended come with its record.
void Reading::read_turn(std::int64_t id) {
  AttemptId attempt = 0;
  store::ShippedSettledTurn settled;
  {
    sqlite::Query row =
        database_.query(std::string("SELECT ") + turn_columns + ", attempt FROM turn WHERE id = ?");
    if (!row.bind(id).step()) return;
    settled.turn = read_shipped_turn(row);
    attempt = row.integer(13);
  }
  if (has_ended(database_, attempt)) return;
  auto name = name_of(database_, attempt);
  if (!name) return;
  settled.attempt = *std::move(name);
  count(size_of(settled.turn));
  named_.insert(attempt);
  shipment_.turns.push_back(std::move(settled));
}

void Reading::read_copy(std::int64_t id) {
  sqlite::Query row = database_.query(
      "SELECT public_id, number, copy.id, writer, posted_at, body, attempt FROM copy "
      "JOIN attempt ON attempt.id = copy.attempt JOIN session ON session.id = attempt.session "
      "WHERE copy.id = ?");
  if (!row.bind(id).step()) return;
  store::ShippedCopy copy{
      {row.text(0), number_in(row, 1)}, row.integer(2), row.text(3), row.integer(4), row.text(5)};
  count(sizeof copy + copy.writer.size() + copy.body.size());
  named_.insert(row.integer(6));
  shipment_.copies.push_back(std::move(copy));
}

void Reading::read_message(const std::string& id) {
  store::ShippedMessage message;
  message.id = id;
  std::int64_t row_of = 0;
  {
    sqlite::Query row = database_.query(
        "SELECT message.id, kind, session.public_id, number, item_id, message.created_at, done_at, "
        "attempt.id "
        "FROM message JOIN attempt ON attempt.id = message.attempt "
        "JOIN session ON session.id = attempt.session WHERE message.public_id = ?");
    message.gone = !row.bind(id).step();
    if (!message.gone) {
      row_of = row.integer(0);
      message.kind = number_in(row, 1);
      message.attempt = {row.text(2), number_in(row, 3)};
      message.item_id = row.text(4);
      message.created_at = row.integer(5);
      message.done_at = row.optional_integer(6);
      named_.insert(row.integer(7));
    }
  }
  if (!message.gone) read_deliveries(message, row_of);
  count(sizeof message + message.item_id.size());
  shipment_.messages.push_back(std::move(message));
}

void Reading::read_deliveries(store::ShippedMessage& message, std::int64_t row) {
  sqlite::Query rows = database_.query(
      "SELECT target, state, tries, refusals, due_at, last_error FROM delivery WHERE message = ? "
      "ORDER BY target");
  rows.bind(row);
  while (rows.step())
    message.deliveries.push_back({rows.text(0), number_in(rows, 1), number_in(rows, 2),
                                  number_in(rows, 3), rows.integer(4), rows.text(5)});
}

void Reading::read_token(const std::string& id) {
  store::ShippedToken token;
  token.id = id;
  sqlite::Query row = database_.query(
      "SELECT user, session, open, session_config, terms, private, created_at, expires_at, "
      "revoked_at, made_by FROM client_secret WHERE id = ?");
  token.gone = !row.bind(id).step();
  if (!token.gone) {
    token.user = row.text(0);
    token.session_id = row.text(1);
    token.session_open = row.integer(2) != 0;
    token.session_config = row.text(3);
    token.terms_json = row.text(4);
    token.private_json = row.text(5);
    token.created_at = row.integer(6);
    token.expires_at = row.integer(7);
    token.revoked_at = row.optional_integer(8);
    token.made_by = row.text(9);
  }
  count(sizeof token + token.session_config.size() + token.terms_json.size());
  shipment_.tokens.push_back(std::move(token));
}

}  // namespace

store::Shipment ShipmentReader::read(sqlite::Database& database, Sequence after,
                                     const store::ShipmentLimits& limits, bool catch_up) {
  const sqlite::Savepoint snapshot(database);
  const ShippingState state = shipping_state(database).value_or(ShippingState{});
  if (state.erasures != erasures_ || names_.size() > names_max) names_.clear();
  erasures_ = state.erasures;
  store::Shipment shipment;
  shipment.after = after;
  Reading reading(database, state, shipment);
  const Sequence end = reading.read_events(limits, catch_up, names_);
  reading.read_changes(end, limits);
  reading.read_ahead();
  return shipment;
}

}  // namespace verbatim::rows
