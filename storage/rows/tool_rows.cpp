#include "storage/rows/tool_rows.hpp"

#include "base/assert.hpp"
#include "base/json/tree.hpp"
#include "storage/sqlite/database.hpp"

namespace verbatim::rows {
namespace {

std::optional<std::string> approval_json(const std::optional<transcript::ToolApproval>& approval) {
  if (!approval) return std::nullopt;
  Json stored = {{"request_id", approval->request_id}, {"reason", approval->reason.utf8()}};
  if (approval->approved) stored["approved"] = *approval->approved;
  return stored.dump(-1, ' ', false, Json::error_handler_t::replace);
}

transcript::ToolApproval approval_from(const std::string& text) {
  const Json stored = Json::parse(text);
  transcript::ToolApproval approval;
  approval.request_id = stored.at("request_id").get<std::string>();
  approval.reason = Text::from_wtf8(stored.at("reason").get<std::string>());
  if (stored.contains("approved")) approval.approved = stored["approved"].get<bool>();
  return approval;
}

std::optional<std::string> stored_text(const std::optional<Text>& text) {
  return text ? std::optional(text->wtf8()) : std::nullopt;
}

transcript::ToolCall read_tool_call(const sqlite::Query& row) {
  transcript::ToolCall call;
  call.after = static_cast<int>(row.integer(0));
  call.item_id = row.text(1);
  call.call_id = row.text(2);
  call.kind = static_cast<transcript::ToolKind>(row.integer(3));
  call.status = static_cast<transcript::ToolStatus>(row.integer(4));
  call.name = row.text(5);
  call.server = row.text(6);
  call.arguments = Text::from_wtf8(row.text(7));
  if (!row.is_null(8)) call.output = Text::from_wtf8(row.text(8));
  call.error = Text::from_wtf8(row.text(9));
  if (!row.is_null(10)) call.approval = approval_from(row.text(10));
  call.deleted = row.integer(11) != 0;
  call.response_id = row.text(12);
  call.started_at = row.optional_integer(13);
  call.ended_at = row.optional_integer(14);
  return call;
}

}  // namespace

void insert_tool_calls(sqlite::Database& database, transcript::AttemptId attempt,
                       const std::vector<transcript::ToolCall>& calls) {
  VERBATIM_EXPECTS_SLOW(tool_calls_of(database, attempt).empty());
  int number = 0;
  for (const transcript::ToolCall& call : calls) {
    const auto output = stored_text(call.output);
    const auto approval = approval_json(call.approval);
    database
        .query(
            "INSERT INTO tool_call (attempt, number, after, item_id, call_id, kind, status, name, "
            "server, arguments, output, error, approval, deleted, response_id, started_at, "
            "ended_at) VALUES (?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?)")
        .bind(attempt, ++number, call.after, call.item_id, call.call_id,
              static_cast<int>(call.kind), static_cast<int>(call.status), call.name, call.server,
              call.arguments.wtf8(), output, call.error.wtf8(), approval, call.deleted,
              call.response_id, call.started_at, call.ended_at)
        .run();
  }
}

std::vector<transcript::ToolCall> tool_calls_of(sqlite::Database& database,
                                                transcript::AttemptId attempt) {
  std::vector<transcript::ToolCall> calls;
  sqlite::Query rows = database.query(
      "SELECT after, item_id, call_id, kind, status, name, server, arguments, output, error, "
      "approval, deleted, response_id, started_at, ended_at FROM tool_call WHERE attempt = ? "
      "ORDER BY number");
  rows.bind(attempt);
  while (rows.step()) calls.push_back(read_tool_call(rows));
  return calls;
}

}  // namespace verbatim::rows
