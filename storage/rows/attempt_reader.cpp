#include "storage/rows/attempt_reader.hpp"

#include "base/json/tree.hpp"
#include "storage/rows/copies.hpp"
#include "storage/rows/fold.hpp"
#include "storage/rows/tool_rows.hpp"
#include "storage/sqlite/database.hpp"

namespace verbatim::rows {
namespace {

transcript::Turn read_turn(const sqlite::Query& row) {
  transcript::Turn turn;
  turn.ordinal = static_cast<int>(row.integer(0));
  turn.item_id = row.text(1);
  turn.role = static_cast<transcript::Role>(row.integer(2));
  turn.status = static_cast<transcript::TurnStatus>(row.integer(3));
  turn.text = Text::from_wtf8(row.text(4));
  if (!row.is_null(5)) {
    turn.heard.emplace().audio_ms = row.integer(5);
    if (!row.is_null(6)) turn.heard->text = Text::from_wtf8(row.text(6));
  }
  turn.reason = row.text(7);
  turn.deleted = row.integer(8) != 0;
  turn.response_id = row.text(9);
  turn.started_at = row.optional_integer(10);
  turn.ended_at = row.optional_integer(11);
  turn.audio_ms = row.integer(12);
  return turn;
}

std::vector<transcript::Turn> read_turns(sqlite::Database& database,
                                         transcript::AttemptId attempt) {
  std::vector<transcript::Turn> turns;
  sqlite::Query rows = database.query(
      "SELECT max(ordinal, 0), item_id, role, status, text, heard_ms, heard_text, reason, deleted, "
      "response_id, started_at, ended_at, audio_ms FROM turn WHERE attempt = ? "
      "ORDER BY max(ordinal, 0), id");
  rows.bind(attempt);
  while (rows.step()) turns.push_back(read_turn(rows));
  return turns;
}

std::vector<transcript::Gap> read_gaps(const std::string& text) {
  std::vector<transcript::Gap> gaps;
  for (const auto& gap : Json::parse(text)) {
    const auto kind = transcript::gap_kind_from_string(gap.at("kind").get<std::string>());
    if (kind)
      gaps.push_back({gap.at("item_id").get<std::string>(), *kind, gap.value("after", 0),
                      gap.value("count", 0)});
  }
  return gaps;
}

}  // namespace

std::optional<AttemptRow> find_attempt(sqlite::Database& database, const std::string& session_id,
                                       std::optional<int> number) {
  sqlite::Query row = database.query(
      "SELECT attempt.id, number, status, started_at, ended_at, close_reason, tail_pending "
      "FROM attempt JOIN session ON session.id = attempt.session "
      "WHERE public_id = ?1 AND (?2 IS NULL OR number = ?2) ORDER BY number DESC LIMIT 1");
  if (!row.bind(session_id, number).step()) return std::nullopt;
  AttemptRow found;
  found.id = row.integer(0);
  found.number = static_cast<int>(row.integer(1));
  found.status = static_cast<transcript::SessionStatus>(row.integer(2));
  found.started_at = row.integer(3);
  found.ended_at = row.optional_integer(4);
  if (!row.is_null(5)) found.close_reason = static_cast<transcript::CloseReason>(row.integer(5));
  found.tail_pending = row.integer(6) != 0;
  return found;
}

transcript::FinalTranscript heard_by_relay(sqlite::Database& database, const AttemptRow& attempt) {
  transcript::FinalTranscript heard;
  if (attempt.status == transcript::SessionStatus::created) return heard;
  sqlite::Query row =
      database.query("SELECT complete, gaps, first_seq, usage FROM attempt WHERE id = ?");
  if (!row.bind(attempt.id).step()) return heard;
  if (attempt.status == transcript::SessionStatus::final) {
    heard.complete = row.integer(0) != 0;
    heard.gaps = read_gaps(row.text(1));
    heard.turns = read_turns(database, attempt.id);
    heard.tool_calls = tool_calls_of(database, attempt.id);
  } else {
    const Folded folded =
        fold(database, attempt.id, static_cast<transcript::Sequence>(row.integer(2)));
    transcript::Transcript::Contents contents = folded.transcript.contents();
    heard.turns = std::move(contents.turns);
    heard.gaps = std::move(contents.gaps);
    heard.tool_calls = std::move(contents.tool_calls);
    heard.used = folded.transcript.used();
    heard.usage_json = transcript::usage_list(folded.transcript);
  }
  const bool final = attempt.status == transcript::SessionStatus::final;
  transcript::add_first_audio(heard.turns, final ? row.text(3) : heard.usage_json);
  return heard;
}

transcript::MergedTranscript merged_transcript(sqlite::Database& database,
                                               const AttemptRow& attempt) {
  auto merged =
      transcript::merge(heard_by_relay(database, attempt), copies_of(database, attempt.id));
  if (attempt.status != transcript::SessionStatus::final) merged.complete = false;
  return merged;
}

}  // namespace verbatim::rows
