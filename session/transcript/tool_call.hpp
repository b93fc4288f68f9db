// The tool calls of a conversation as plain values. They stand beside the turns, not among them.
// Names and meanings: server/api/openapi.json.
#pragma once

#include <cstdint>
#include <optional>
#include <string>
#include <string_view>

#include "base/text.hpp"
#include "session/transcript/turn.hpp"

namespace verbatim::transcript {

/// Numbers are stored; never renumber.
enum class ToolKind : std::uint8_t {
  function = 0,  ///< the client runs it
  mcp = 1,       ///< the provider runs it, on an MCP server
};

/// Numbers are stored; never renumber.
enum class ToolStatus : std::uint8_t {
  in_progress = 0,
  completed = 1,   ///< it has an output
  failed = 2,      ///< an error was reported, or its use was not approved
  unanswered = 3,  ///< the conversation ended before an output came
};

/// The approval of an MCP tool.
struct ToolApproval {
  std::string request_id;        ///< the item with the request
  std::optional<bool> approved;  ///< nullopt: no answer came
  Text reason;

  friend bool operator==(const ToolApproval&, const ToolApproval&) = default;
};

struct ToolCall {
  int after = 0;  ///< the ordinal of the turn before it; 0: before all turns
  std::string item_id;
  std::string call_id;  ///< empty for MCP
  ToolKind kind = ToolKind::function;
  ToolStatus status = ToolStatus::in_progress;
  std::string name;
  std::string server;  ///< the label of the MCP server
  Text arguments;
  std::optional<Text> output;
  Text error;  ///< the provider's error object, original JSON
  std::optional<ToolApproval> approval;
  bool deleted = false;
  std::string response_id;
  std::optional<TimeMs> started_at;
  std::optional<TimeMs> ended_at;

  friend bool operator==(const ToolCall&, const ToolCall&) = default;
};

std::string_view to_string(ToolKind);
std::string_view to_string(ToolStatus);

/// Size in memory and in a row, for limits.
std::size_t size_of(const ToolCall&);

}  // namespace verbatim::transcript
