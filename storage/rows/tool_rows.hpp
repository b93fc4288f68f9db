// The tool calls of an attempt that has ended: rows beside its turns. Before the end they are only
// in the journal.
//
// On the database's thread, in the caller's transaction. All throw StorageError.
#pragma once

#include <vector>

#include "session/transcript/journal.hpp"
#include "session/transcript/tool_call.hpp"

namespace verbatim::storage {

class Database;

/// Precondition: the attempt has no tool call rows yet.
void insert_tool_calls(Database& database, session::AttemptId attempt,
                       const std::vector<session::ToolCall>& calls);

/// In the conversation's order.
std::vector<session::ToolCall> tool_calls_of(Database& database, session::AttemptId attempt);

}  // namespace verbatim::storage
