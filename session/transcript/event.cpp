#include "session/transcript/event.hpp"

#include "base/enum_names.hpp"
#include "base/json/view.hpp"

namespace verbatim::transcript {
namespace {

constexpr Name<Unplaced> unplaced_names[] = {
    {Unplaced::not_json, "not_json"},
    {Unplaced::not_text, "not_text"},
    {Unplaced::too_large, "too_large"},
};

constexpr Name<ResponseStatus> response_statuses[] = {
    {ResponseStatus::completed, "completed"},   {ResponseStatus::cancelled, "cancelled"},
    {ResponseStatus::incomplete, "incomplete"}, {ResponseStatus::failed, "failed"},
    {ResponseStatus::other, "other"},
};

}  // namespace

bool is_call(const Item& item) {
  if (item.kind == ItemKind::function_call) return true;
  return item.kind == ItemKind::other &&
         json::View::of(item.detail)["type"].between_quotes() == "mcp_call";
}

std::string_view to_string(Unplaced why) { return name_of(why, unplaced_names); }
std::string_view to_string(ResponseStatus status) { return name_of(status, response_statuses); }

}  // namespace verbatim::transcript
