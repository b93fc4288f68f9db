#include "storage/rows/client_tokens.hpp"

#include <algorithm>
#include <charconv>

#include "session/transcript/session_status.hpp"
#include "storage/sqlite/database.hpp"

namespace verbatim::rows {
namespace {

using transcript::SessionStatus;

/// True if a session of the token is running or ended after ?1: the session it was made for, or one
/// it was used for. An attempt that was never relayed (status 0) does not count.
constexpr const char* has_session =
    "EXISTS (SELECT 1 FROM session JOIN attempt ON attempt.session = session.id "
    "WHERE (session.public_id = client_secret.session OR session.id IN "
    "(SELECT token_use.session FROM token_use WHERE token_use.token = client_secret.id)) "
    "AND attempt.status <> 0 AND coalesce(attempt.ended_at, ?1 + 1) > ?1)";

/// True for a token that was used for session ?1 and for no other, and whose content is not sealed.
constexpr const char* in_the_clear_for_this_alone =
    "(substr(session_config, 1, 7) NOT IN ('', 'sealed:') OR "
    "substr(private, 1, 7) NOT IN ('{}', 'sealed:')) AND "
    "1 = (SELECT count(*) FROM token_use WHERE token = client_secret.id) AND "
    "EXISTS (SELECT 1 FROM token_use JOIN session ON session.id = token_use.session "
    "WHERE token = client_secret.id AND public_id = ?1) AND "
    "NOT EXISTS (SELECT 1 FROM session WHERE public_id = client_secret.session)";

store::ClientToken read_summary(const sqlite::Query& row) {
  store::ClientToken token;
  token.id = row.text(0);
  token.user = row.text(1);
  token.session_id = row.text(2);
  token.session_open = row.integer(3) != 0;
  token.created_at = row.integer(4);
  token.expires_at = row.integer(5);
  token.revoked_at = row.optional_integer(6);
  return token;
}

std::optional<store::ClientToken> find_token(sqlite::Database& database, const std::string& id) {
  sqlite::Query row = database.query(
      "SELECT id, user, session, open, created_at, expires_at, revoked_at, session_config, terms, "
      "private FROM client_secret WHERE id = ?");
  if (!row.bind(id).step()) return std::nullopt;
  store::ClientToken token = read_summary(row);
  token.session_config_json = row.text(7);
  token.terms_json = row.text(8);
  token.private_json = row.text(9);
  return token;
}

bool was_used(sqlite::Database& database, const store::TokenUse& use) {
  sqlite::Query row = database.query(
      "SELECT 1 FROM token_use JOIN session ON session.id = token_use.session "
      "WHERE token = ? AND public_id = ?");
  return row.bind(use.id, use.session_id).step();
}

/// True if the session's latest attempt began before the token expired, and is running or ended
/// within the window.
bool goes_on(sqlite::Database& database, const store::TokenUse& use, TimeMs ended_after) {
  sqlite::Query row = database.query(
      "SELECT status, started_at, ended_at FROM attempt JOIN session ON session.id = "
      "attempt.session WHERE public_id = ? ORDER BY number DESC LIMIT 1");
  if (!row.bind(use.session_id).step()) return false;
  if (row.integer(0) == static_cast<int>(SessionStatus::created)) return false;
  return row.integer(1) <= use.expires_at &&
         row.optional_integer(2).value_or(INT64_MAX) > ended_after;
}

}  // namespace

void save_client_token(sqlite::Database& database, const store::ClientToken& token) {
  database
      .query(
          "INSERT INTO client_secret (id, user, session, open, session_config, terms, private, "
          "created_at, expires_at, made_by) VALUES (?, ?, ?, ?, ?, ?, ?, ?, ?, ?)")
      .bind(token.id, token.user, token.session_id, token.session_open, token.session_config_json,
            token.terms_json, token.private_json, token.created_at, token.expires_at, token.made_by)
      .run();
}

void prune_client_tokens(sqlite::Database& database, TimeMs now, std::int64_t window_ms) {
  sqlite::Savepoint all_or_nothing(database);
  const std::string gone = "expires_at <= ?2 AND NOT " + std::string(has_session);
  database
      .query("DELETE FROM token_use WHERE token IN (SELECT id FROM client_secret WHERE " + gone +
             ")")
      .bind(now - window_ms, now)
      .run();
  database.query("DELETE FROM client_secret WHERE " + gone).bind(now - window_ms, now).run();
  all_or_nothing.release();
}

bool revoke_client_token(sqlite::Database& database, const std::string& id, TimeMs now) {
  database.query("UPDATE client_secret SET revoked_at = coalesce(revoked_at, ?) WHERE id = ?")
      .bind(now, id)
      .run();
  return database.changes() > 0;
}

std::vector<std::string> revoke_tokens_of_other_keys(sqlite::Database& database,
                                                     const std::vector<std::string>& keys,
                                                     TimeMs now) {
  std::vector<std::string> ids;
  {
    sqlite::Query rows = database.query(
        "SELECT id, made_by FROM client_secret WHERE made_by <> '' AND revoked_at IS NULL");
    while (rows.step())
      if (std::find(keys.begin(), keys.end(), rows.text(1)) == keys.end())
        ids.push_back(rows.text(0));
  }
  for (const std::string& id : ids) revoke_client_token(database, id, now);
  return ids;
}

void note_token_use(sqlite::Database& database, const std::string& id,
                    const std::string& session_id) {
  database
      .query(
          "INSERT OR IGNORE INTO token_use (token, session) "
          "SELECT ?, id FROM session WHERE public_id = ?")
      .bind(id, session_id)
      .run();
}

void forget_tokens_of(sqlite::Database& database, const std::string& session_id) {
  const std::string forget =
      "UPDATE client_secret SET user = '', session = '', session_config = '', terms = '{}', "
      "private = '{}', made_by = '', revoked_at = coalesce(revoked_at, 0) WHERE ";
  database.query(forget + in_the_clear_for_this_alone).bind(session_id).run();
  database
      .query("DELETE FROM token_use WHERE session = (SELECT id FROM session WHERE public_id = ?)")
      .bind(session_id)
      .run();
  database.query(forget + "session = ?").bind(session_id).run();
}

store::TokenPage list_client_tokens(sqlite::Database& database, const store::TokenFilter& filter,
                                    TimeMs now, std::int64_t window_ms) {
  std::int64_t before = INT64_MAX;
  const char* const end = filter.cursor.data() + filter.cursor.size();
  if (!filter.cursor.empty() && std::from_chars(filter.cursor.data(), end, before).ptr != end)
    throw store::unknown_cursor();
  sqlite::Query rows = database.query(
      "SELECT id, user, session, open, created_at, expires_at, revoked_at, rowid "
      "FROM client_secret WHERE revoked_at IS NULL AND (expires_at > ?2 OR " +
      std::string(has_session) +
      ") AND (?3 IS NULL OR user = ?3) AND (?4 IS NULL OR session = ?4) AND rowid < ?5 "
      "ORDER BY rowid DESC LIMIT ?6");
  rows.bind(now - window_ms, now, filter.user, filter.session_id, before,
            static_cast<std::int64_t>(filter.limit + 1));
  store::TokenPage page;
  std::int64_t last = 0;
  while (rows.step()) {
    if (page.tokens.size() == filter.limit) {
      page.next_cursor = std::to_string(last);
      break;
    }
    page.tokens.push_back(read_summary(rows));
    last = rows.integer(7);
  }
  return page;
}

store::TokenStanding token_standing(sqlite::Database& database, const store::TokenUse& use,
                                    TimeMs now, std::int64_t window_ms) {
  sqlite::Savepoint snapshot(database);
  store::TokenStanding standing;
  if (!use.id.empty()) standing.stored = find_token(database, use.id);
  {
    sqlite::Query row = database.query(
        "SELECT user, EXISTS (SELECT 1 FROM attempt WHERE attempt.session = session.id AND "
        "status <> 0) FROM session WHERE public_id = ?");
    if (row.bind(use.session_id).step()) {
      standing.owner = row.text(0);
      standing.began = row.integer(1) != 0;
    }
  }
  standing.own = use.bound || (!use.id.empty() && was_used(database, use));
  standing.goes_on = standing.own && goes_on(database, use, now - window_ms);
  return standing;
}

}  // namespace verbatim::rows
