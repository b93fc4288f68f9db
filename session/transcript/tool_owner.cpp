// Finds the tool call that an event belongs to if the event names it in an unusual way or not at
// all; transcript_owner.cpp does so for text. If there is none, a call is created, so no call is
// lost.
#include <algorithm>
#include <string>
#include <utility>

#include "base/json/view.hpp"
#include "session/transcript/transcript_state.hpp"

namespace verbatim::transcript {

namespace {

using json::Object;
using json::View;

/// Number of latest items searched for one that is repeated outside a response.
constexpr std::size_t looked_back_max = 16;

bool holds_call(const ConversationItem& item) {
  return is_call(item.item) || (item.tool && item.item.kind != ItemKind::message);
}

/// True if only its id is known.
bool is_bare(const ConversationItem& item) {
  return item.item.kind == ItemKind::message && !item.described && !item.spoken &&
         item.item.role == Role::unknown && item.item.parts.empty();
}

bool differ(const std::string& one, const std::string& other) {
  return !one.empty() && !other.empty() && one != other;
}

}  // namespace

/// Properties by which a call can be recognised.
struct Transcript::State::CallSigns {
  std::string call_id;
  std::string name;
  Text arguments;
  bool ended = false;  ///< the arguments are complete

  static CallSigns of(const ToolArguments& event) {
    return {event.call_id, event.name, event.whole ? event.text : Text(), event.whole};
  }
  static CallSigns of(const Item& item) {
    Object facts(View::of(item.detail));
    CallSigns signs{facts["call_id"].string_or_empty(), facts["name"].string_or_empty(),
                    Text::from_wtf8(facts["arguments"].string_or_empty()), false};
    signs.ended = item.status != ItemStatus::in_progress && !signs.arguments.empty();
    return signs;
  }
  static CallSigns of(const ConversationItem& item) {
    CallSigns signs = of(item.item);
    if (!item.tool) return signs;
    if (signs.call_id.empty()) signs.call_id = item.tool->call_id;
    if (signs.name.empty()) signs.name = item.tool->name;
    if (!signs.ended && item.tool->whole) {
      signs.arguments = item.tool->arguments;
      signs.ended = true;
    }
    return signs;
  }

  /// True if `reported` is another call. After a call's arguments have ended, further arguments
  /// either repeat them or begin another call.
  bool is_another(const CallSigns& reported) const {
    if (differ(call_id, reported.call_id) || differ(name, reported.name)) return true;
    if (!ended) return false;
    const bool named_again = !call_id.empty() && call_id == reported.call_id;
    return reported.ended ? arguments != reported.arguments : !named_again;
  }
};

/// The call among `calls` that matches; nullptr if there is none. Compares properties and index,
/// and never returns a call that is known to be another. `guess`: without index and call id, take
/// the last open one.
ConversationItem* Transcript::State::call_among(const std::vector<ConversationItem*>& calls,
                                                const CallSigns& reported, bool mcp,
                                                int output_index, bool guess) {
  ConversationItem* by_index = nullptr;
  ConversationItem* last = nullptr;
  for (auto one = calls.rbegin(); one != calls.rend(); ++one) {
    ConversationItem& item = **one;
    if (!holds_call(item) || (item.item.kind == ItemKind::other) != mcp) continue;
    track(item);
    fetch_detail(item);
    const CallSigns ours = CallSigns::of(item);
    if (ours.is_another(reported)) continue;
    if (!ours.call_id.empty() && ours.call_id == reported.call_id) return &item;
    const bool both_known = output_index != no_output_index && item.output_index != no_output_index;
    if (both_known && item.output_index == output_index && by_index == nullptr) by_index = &item;
    if (!both_known && last == nullptr) last = &item;
  }
  if (by_index != nullptr) return by_index;
  return guess ? last : nullptr;
}

/// The calls of a response. Without an id: of the only running response; if none runs, the latest
/// items.
std::vector<ConversationItem*> Transcript::State::calls_of(const std::string& response_id) {
  if (!response_id.empty()) {
    const auto found = response_of_id.find(response_id);
    const Response* const response =
        found != response_of_id.end() ? found->second : find_spilled_response(response_id);
    return response != nullptr ? response->items : std::vector<ConversationItem*>();
  }
  std::vector<ConversationItem*> calls;
  for (const Response* response : running)
    calls.insert(calls.end(), response->items.begin(), response->items.end());
  return running.empty() ? last_items() : calls;
}

/// The latest items of this connection, in order, in memory or in the spill.
std::vector<ConversationItem*> Transcript::State::last_items() {
  std::vector<ConversationItem*> last;
  const auto take = [&last](ConversationItem* item) {
    if (item->settled || last.size() == looked_back_max) return false;
    last.push_back(item);
    return true;
  };
  bool more = true;
  for (const ItemChain* list : {&loose, &chain})
    for (ConversationItem* at = list->last(); at != nullptr && more; at = at->link.before)
      more = take(at);
  for (std::size_t slot = slots.size(); slot-- > 0 && more;) {
    if (slots[slot].spilled) bring_back(slots[slot].bundle);
    more = take(*std::find_if(lingering.begin(), lingering.end(),
                              [slot](const ConversationItem* one) { return one->slot == slot; }));
  }
  std::reverse(last.begin(), last.end());
  return last;
}

/// The item with this id, if it can be that call. One id for a call and for text, or for two calls,
/// means two items.
ConversationItem* Transcript::State::call_named(const std::string& id, const CallSigns& reported,
                                                const std::string& response_id) {
  ConversationItem* const item = id.empty() ? nullptr : find_tracked(id);
  if (item == nullptr || is_bare(*item)) return item;
  if (!holds_call(*item)) return nullptr;
  const bool answers_another =
      item->response != nullptr && !item->settled && differ(item->response->id, response_id);
  fetch_detail(*item);
  const CallSigns ours = CallSigns::of(*item);
  return answers_another || differ(ours.call_id, reported.call_id) ? nullptr : item;
}

ConversationItem& Transcript::State::call_of(const Address& address, const CallSigns& reported,
                                             bool mcp) {
  ConversationItem* found = call_named(address.item_id, reported, address.response_id);
  if (found == nullptr)
    found = call_among(calls_of(address.response_id), reported, mcp, address.output_index,
                       address.item_id.empty());
  if (found == nullptr) {
    const bool is_new_id = !address.item_id.empty() && find(address.item_id) == nullptr;
    found = is_new_id ? &find_or_create(address.item_id) : &own_item(Role::unknown);
    found->item.kind = mcp ? ItemKind::other : ItemKind::function_call;
    if (address.response_id.empty() && running.empty()) anchor(*found);
  }
  const bool of_the_one = address.response_id.empty() && running.size() == 1;
  join(*found, of_the_one ? running.front()->id : address.response_id);
  if (found->output_index == no_output_index) found->output_index = address.output_index;
  return *found;
}

/// The call in response.output_item.added or .done, or in a response's output; nullptr if it is not
/// a tool's.
ConversationItem* Transcript::State::output_call(const Address& address, const Item& reported) {
  if (!is_call(reported)) return nullptr;
  ConversationItem& item =
      call_of(address, CallSigns::of(reported), reported.kind == ItemKind::other);
  if (item.item.id != address.item_id) remember_alias(address.item_id, item);
  return &item;
}

/// The known item that is placed or repeated; nullptr if it is new. A call may come under an id
/// that is not its own, or that belongs to another item.
ConversationItem* Transcript::State::reported_before(const Item& reported, bool placed) {
  if (!is_call(reported)) return reported.id.empty() ? nullptr : find_tracked(reported.id);
  const CallSigns signs = CallSigns::of(reported);
  if (ConversationItem* const own = call_named(reported.id, signs, {})) return own;
  std::vector<ConversationItem*> calls = calls_of({});
  if (placed) std::erase_if(calls, [](const ConversationItem* one) { return one->placed; });
  ConversationItem* const found =
      call_among(calls, signs, reported.kind == ItemKind::other, no_output_index, true);
  if (found != nullptr) {
    remember_alias(reported.id, *found);
    return found;
  }
  const bool is_anothers = !reported.id.empty() && find(reported.id) != nullptr;
  return is_anothers ? &own_item(Role::unknown) : nullptr;
}

/// A known tool output that is repeated under another id.
ConversationItem* Transcript::State::output_under_other_id(const Item& reported) {
  if (reported.kind != ItemKind::function_call_output) return nullptr;
  const std::vector<ConversationItem*> last = last_items();
  Object theirs(View::of(reported.detail));
  for (auto one = last.rbegin(); one != last.rend(); ++one) {
    ConversationItem& item = **one;
    if (item.item.kind != ItemKind::function_call_output) continue;
    track(item);
    fetch_detail(item);
    Object ours(View::of(item.item.detail));
    if (ours["call_id"].raw() == theirs["call_id"].raw() &&
        ours["output"].raw() == theirs["output"].raw())
      return &item;
  }
  return nullptr;
}

void Transcript::State::on(const ToolArguments& event) {
  ConversationItem& item = call_of({event.item_id, event.response_id, event.output_index},
                                   CallSigns::of(event), event.mcp);
  fetch_detail(item);
  item.add_arguments(event, now);
}

void Transcript::State::on(const ToolProgress& event) {
  ConversationItem* found = event.item_id.empty() ? nullptr : find_tracked(event.item_id);
  if (found == nullptr && (event.item_id.empty() || event.output_index != no_output_index))
    found = call_going_on(event.output_index);
  if (found == nullptr && event.item_id.empty()) return;  // the event names no call
  (found != nullptr ? *found : find_or_create(event.item_id)).tool_went_on(event.status, now);
}

/// The running MCP call with that index; without an index, the oldest that has not ended.
ConversationItem* Transcript::State::call_going_on(int output_index) {
  for (ConversationItem* item : calls_of({})) {
    const bool is_its = output_index == no_output_index || item->output_index == no_output_index ||
                        item->output_index == output_index;
    const bool goes_on = !item->tool || item->tool->reported == ToolStatus::in_progress;
    if (item->item.kind != ItemKind::other || !holds_call(*item) || !is_its || !goes_on) continue;
    track(*item);
    return item;
  }
  return nullptr;
}

}  // namespace verbatim::transcript
