#include "session/transcript/tool_call.hpp"

#include "base/enum_names.hpp"

namespace verbatim::transcript {
namespace {

constexpr Name<ToolKind> kinds[] = {{ToolKind::function, "function"}, {ToolKind::mcp, "mcp"}};

constexpr Name<ToolStatus> statuses[] = {{ToolStatus::in_progress, "in_progress"},
                                         {ToolStatus::completed, "completed"},
                                         {ToolStatus::failed, "failed"},
                                         {ToolStatus::unanswered, "unanswered"}};

}  // namespace

std::string_view to_string(ToolKind kind) { return name_of(kind, kinds); }
std::string_view to_string(ToolStatus status) { return name_of(status, statuses); }

std::size_t size_of(const ToolCall& call) {
  return sizeof call + call.item_id.size() + call.call_id.size() + call.name.size() +
         call.server.size() + call.arguments.size_bytes() +
         (call.output ? call.output->size_bytes() : 0) + call.error.size_bytes() +
         call.response_id.size() +
         (call.approval ? call.approval->request_id.size() + call.approval->reason.size_bytes()
                        : 0);
}

}  // namespace verbatim::transcript
