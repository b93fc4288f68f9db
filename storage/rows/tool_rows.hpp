// The tool calls of an attempt that has ended: rows beside its turns. Before the end they are only
// in the journal.
//
// On the database's thread, in the caller's transaction. All throw StorageError.
#pragma once

#include <vector>

#include "session/transcript/journal.hpp"
#include "session/transcript/tool_call.hpp"

namespace verbatim::sqlite {
class Database;
}  // namespace verbatim::sqlite

namespace verbatim::rows {

/// Precondition: the attempt has no tool call rows yet.
void insert_tool_calls(sqlite::Database& database, transcript::AttemptId attempt,
                       const std::vector<transcript::ToolCall>& calls);

/// In the conversation's order.
std::vector<transcript::ToolCall> tool_calls_of(sqlite::Database& database,
                                                transcript::AttemptId attempt);

}  // namespace verbatim::rows
