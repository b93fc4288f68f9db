// Collects the tool calls of a conversation from its items: matches outputs with calls, and
// approvals with requests. Takes the items once, in the conversation's order.
//
// Private to the transcript engine. Pure; one thread at a time.
#pragma once

#include <string>
#include <unordered_map>
#include <vector>

#include "base/json/view.hpp"
#include "session/transcript/conversation_item.hpp"
#include "session/transcript/tool_call.hpp"

namespace verbatim::transcript {

class ToolCalls {
 public:
  /// Counts a turn: later calls come after it.
  void turn() { ++turns_; }
  /// Takes an item that is not a message; items that belong to no call are ignored.
  void item(const ConversationItem& item);
  /// All calls, in order. `finished`: no more outputs will come.
  std::vector<ToolCall> take(bool finished);

 private:
  struct Found {
    ToolCall call;
    bool over = false;     ///< known to have failed, unless an output came
    bool dropped = false;  ///< another entry replaces it
  };

  void function_call(ToolCall call, const ConversationItem& item);
  void function_output(ToolCall output, Text text);
  void mcp_call(ToolCall call, const ConversationItem& item, json::Object& facts);
  void approval_response(json::Object& facts);
  void settle_approvals();

  int turns_ = 0;
  std::vector<Found> found_;
  /// By call id: calls without an output, and outputs without a known call, as indices into found_.
  /// Some providers restart the call ids with each response, so an id may come again.
  std::unordered_map<std::string, std::vector<std::size_t>> unanswered_;
  std::unordered_map<std::string, std::vector<std::size_t>> uncalled_;
  std::unordered_map<std::string, std::size_t> requests_;    ///< requests for approval, by item id
  std::unordered_map<std::string, ToolApproval> approvals_;  ///< answers, by the request's item id
};

}  // namespace verbatim::transcript
