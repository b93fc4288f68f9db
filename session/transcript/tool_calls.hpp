// From the items of a conversation to the tools that it used: which output answers which call, and
// what was approved. The items are walked in the conversation's order, once.
//
// Private to the transcript engine. Pure; any thread.
#pragma once

#include <string>
#include <unordered_map>
#include <vector>

#include "base/json/view.hpp"
#include "session/transcript/conversation_item.hpp"
#include "session/transcript/tool_call.hpp"

namespace verbatim::session {

class ToolCalls {
 public:
  /// Another turn: calls that follow stand behind it.
  void turn() { ++turns_; }
  /// Any item that is no message; those that are no part of a call are passed over.
  void item(const ConversationItem& item);
  /// All calls, in order. `finished`: no output will come any more.
  std::vector<ToolCall> take(bool finished);

 private:
  struct Found {
    ToolCall call;
    bool over = false;     ///< failed by what is known of it, unless an output came
    bool dropped = false;  ///< another one stands for it
  };

  void function_call(ToolCall call, const ConversationItem& item);
  void function_output(ToolCall output, Text text);
  void mcp_call(ToolCall call, const ConversationItem& item, json::Object& facts);
  void approval_response(json::Object& facts);
  void settle_approvals();

  int turns_ = 0;
  std::vector<Found> found_;
  /// By call id: calls without an output, and outputs whose call is not known, by their places in
  /// found_. Some providers count the calls of each response anew, so an id may come again.
  std::unordered_map<std::string, std::vector<std::size_t>> unanswered_;
  std::unordered_map<std::string, std::vector<std::size_t>> uncalled_;
  std::unordered_map<std::string, std::size_t> requests_;    ///< for approval, by item id
  std::unordered_map<std::string, ToolApproval> approvals_;  ///< by the request's item id
};

}  // namespace verbatim::session
