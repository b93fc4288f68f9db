#include "session/transcript/tool_calls.hpp"

#include <utility>

#include "base/json/view.hpp"

namespace verbatim::transcript {
namespace {

using json::Kind;
using json::Object;
using json::View;

/// Present, not null and not the empty string: an early snapshot has such members without a value.
bool is_said(View value) {
  return value.exists() && !value.is(Kind::null) && value.raw() != R"("")";
}

/// The characters of a string; for other kinds, which some servers send, the JSON.
Text words_of(View value) {
  if (!is_said(value)) return {};
  if (value.is(Kind::string)) return Text::from_wtf8(value.string_or_empty());
  return Text::from_wtf8(std::string(value.raw()));
}

/// True if a snapshot is older than what is known: it lacks a member that is already there.
bool says_less(const std::string& theirs, const std::string& ours) {
  Object before(View::of(ours));
  Object now(View::of(theirs));
  for (const char* what : {"arguments", "output", "error"})
    if (is_said(before[what]) && !is_said(now[what])) return true;
  return false;
}

bool has_whole_arguments(const Item& item) {
  return item.status != ItemStatus::in_progress && is_said(View::of(item.detail)["arguments"]);
}

/// The item's arguments once it is whole; until then its events may have more.
Text arguments_of(const Item& item, View said, const Text& reported) {
  Text arguments = words_of(said);
  const bool more = item.status == ItemStatus::in_progress || arguments.empty();
  return more && reported.size_bytes() > arguments.size_bytes() ? reported : arguments;
}

bool failed_before_it_was_whole(const ConversationItem& item) {
  if (item.item.status == ItemStatus::completed) return false;
  if (item.item.status == ItemStatus::incomplete) return true;
  if (item.response == nullptr || !item.response->ended) return false;
  const ResponseStatus status = item.response->status;
  return status == ResponseStatus::cancelled || status == ResponseStatus::failed ||
         status == ResponseStatus::incomplete;
}

}  // namespace

// ---- One item ----

void ConversationItem::learn_tool(const Item& from, TimeMs now) {
  if (!started_at) started_at = now;
  const bool early = from.status == ItemStatus::in_progress &&
                     item.status != ItemStatus::in_progress && !item.detail.empty();
  if (from.detail.empty() || early || says_less(from.detail, item.detail)) return;
  set_detail(from.detail, false);
  if (!tool && from.kind != ItemKind::other) return;
  Object facts(View::of(item.detail));
  if (tool && from.status != ItemStatus::in_progress && is_said(facts["arguments"]))
    tool->arguments = {};  // the item has them now
  if (!is_said(facts["output"]) && !is_said(facts["error"])) return;
  if (!tool) tool.emplace();
  if (!tool->over_at) tool->over_at = now;
}

/// Makes the item a tool's, unless it already holds a part of a turn.
bool ConversationItem::become_tool(bool mcp, TimeMs now) {
  const bool is_message = item.kind == ItemKind::message;
  if (is_message && (described || text_bytes_ > 0 || item.role != Role::unknown || spoken))
    return false;
  if (is_message) item.kind = mcp ? ItemKind::other : ItemKind::function_call;
  if (!tool) tool.emplace();
  tool->mcp = tool->mcp || mcp;
  if (!started_at) started_at = now;
  return true;
}

void ConversationItem::add_arguments(const ToolArguments& event, TimeMs now) {
  if (!become_tool(event.mcp, now)) return;
  if (tool->call_id.empty()) tool->call_id = event.call_id;
  if (tool->name.empty()) tool->name = event.name;
  if (tool->whole || has_whole_arguments(item)) return;
  if (!event.whole) return tool->arguments.append(event.text);
  tool->whole = true;
  if (!event.text.empty()) tool->arguments = event.text;
}

void ConversationItem::tool_went_on(ToolStatus status, TimeMs now) {
  if (!become_tool(true, now)) return;
  if (tool->reported == ToolStatus::in_progress) tool->reported = status;
  if (status != ToolStatus::in_progress && !tool->over_at) tool->over_at = now;
}

// ---- All items ----

void ToolCalls::item(const ConversationItem& item) {
  if (!item.placed && item.response != nullptr && item.response->out_of_band) return;
  Object facts(View::of(item.item.detail));
  const ToolState reported = item.tool.value_or(ToolState());
  ToolCall call;
  call.after = turns_;
  call.item_id = item.item.id;
  call.deleted = item.deleted;
  if (item.response != nullptr) call.response_id = item.response->id;
  call.started_at = item.started_at;
  call.call_id = facts["call_id"].string().value_or(reported.call_id);
  if (item.item.kind == ItemKind::function_call_output)
    return function_output(std::move(call), words_of(facts["output"]));

  call.name = facts["name"].string().value_or(reported.name);
  call.arguments = arguments_of(item.item, facts["arguments"], reported.arguments);
  if (item.item.kind == ItemKind::function_call) return function_call(std::move(call), item);

  const std::string type = facts["type"].string_or_empty();
  if (type == "mcp_approval_response") return approval_response(facts);
  call.kind = ToolKind::mcp;
  call.server = facts["server_label"].string_or_empty();
  if (type == "mcp_call" || (type.empty() && reported.mcp)) {
    mcp_call(std::move(call), item, facts);
  } else if (type == "mcp_approval_request") {
    call.approval = ToolApproval{call.item_id, std::nullopt, {}};
    requests_[call.item_id] = found_.size();
    found_.push_back({std::move(call)});
  }
}

void ToolCalls::function_call(ToolCall call, const ConversationItem& item) {
  const bool failed = failed_before_it_was_whole(item);
  if (failed) call.ended_at = item.ended_at;
  if (auto early = uncalled_.find(call.call_id);
      !call.call_id.empty() && early != uncalled_.end() && !early->second.empty()) {
    Found& output = found_[early->second.back()];
    early->second.pop_back();
    output.dropped = true;
    call.output = std::move(output.call.output);
    call.ended_at = output.call.ended_at;
  } else if (!call.call_id.empty()) {
    unanswered_[call.call_id].push_back(found_.size());
  }
  found_.push_back({std::move(call), failed});
}

void ToolCalls::function_output(ToolCall output, Text text) {
  const auto asked = unanswered_.find(output.call_id);
  if (asked != unanswered_.end() && !asked->second.empty()) {
    ToolCall& call = found_[asked->second.back()].call;
    asked->second.pop_back();
    call.output = std::move(text);
    call.ended_at = output.started_at;
    return;
  }
  // Its call came before this conversation or is placed behind it; keep the output, so nothing is
  // lost.
  output.output = std::move(text);
  output.ended_at = output.started_at;
  uncalled_[output.call_id].push_back(found_.size());
  found_.push_back({std::move(output)});
}

void ToolCalls::mcp_call(ToolCall call, const ConversationItem& item, Object& facts) {
  const ToolStatus reported = item.tool ? item.tool->reported : ToolStatus::in_progress;
  const View output = facts["output"];
  if (output.exists() && !output.is(Kind::null)) call.output = words_of(output);
  call.error = words_of(facts["error"]);
  if (const auto asked = facts["approval_request_id"].string(); asked && !asked->empty())
    call.approval = ToolApproval{*asked, std::nullopt, {}};
  const bool failed = reported == ToolStatus::failed || !call.error.empty();
  if (failed) {
    call.status = ToolStatus::failed;
  } else if (reported == ToolStatus::completed || call.output ||
             item.item.status == ItemStatus::completed) {
    call.status = ToolStatus::completed;
  }
  call.ended_at = item.tool && item.tool->over_at ? item.tool->over_at : item.ended_at;
  if (call.status == ToolStatus::in_progress) call.ended_at.reset();
  found_.push_back({std::move(call), !failed && failed_before_it_was_whole(item)});
}

void ToolCalls::approval_response(Object& facts) {
  ToolApproval& answer = approvals_[facts["approval_request_id"].string_or_empty()];
  answer.approved = facts["approve"].boolean();
  answer.reason = words_of(facts["reason"]);
}

/// A request for approval is dropped if its call is there: the call shows the approval.
void ToolCalls::settle_approvals() {
  for (Found& one : found_) {
    if (!one.call.approval) continue;
    ToolApproval& approval = *one.call.approval;
    if (const auto answer = approvals_.find(approval.request_id); answer != approvals_.end()) {
      approval.approved = answer->second.approved;
      approval.reason = answer->second.reason;
    }
    const auto request = requests_.find(approval.request_id);
    const bool is_request = one.call.item_id == approval.request_id;
    if (is_request && approval.approved == false) one.over = true;
    if (!is_request && request != requests_.end()) found_[request->second].dropped = true;
  }
}

std::vector<ToolCall> ToolCalls::take(bool finished) {
  settle_approvals();
  std::vector<ToolCall> calls;
  for (Found& one : found_) {
    if (one.dropped) continue;
    ToolCall& call = one.call;
    if (call.status == ToolStatus::in_progress) {
      if (call.kind == ToolKind::function && call.output) {
        call.status = ToolStatus::completed;
      } else if (one.over) {
        call.status = ToolStatus::failed;
      } else if (finished) {
        call.status = ToolStatus::unanswered;
      }
    }
    // An output may be placed before its call.
    if (call.started_at && call.ended_at)
      call.ended_at = std::max(*call.started_at, *call.ended_at);
    calls.push_back(std::move(call));
  }
  return calls;
}

}  // namespace verbatim::transcript
