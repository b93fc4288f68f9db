// Finds the item that an event belongs to if the event names it in an unusual way or not at all.
// Compatible servers omit ids, gateways give each event a new one, and some use one id for a
// question and its answer. All text that can be placed is placed.
#include <algorithm>
#include <string>

#include "session/transcript/transcript_state.hpp"

namespace verbatim::transcript {

namespace {

/// Prefix for ids of items that no event has named. The number makes them the same in a recovery.
const std::string own_prefix = "item_unnamed_";

/// Number of further ids remembered for items. Above it, events under new ids find no item.
constexpr std::size_t aliases_max = 1024;

bool is_message_of_model(const ConversationItem& item) {
  return item.item.kind == ItemKind::message && item.item.role != Role::user;
}

/// A client's item without an acknowledgement, kept at the place that the client asked for.
bool is_kept_unacknowledged(const ConversationItem* item) {
  return item != nullptr && item->requested && !item->placed;
}

}  // namespace

/// The item was made by own_item(), so the provider cannot name it.
bool Transcript::State::is_unnamed(const ConversationItem& item) {
  return item.item.id.starts_with(own_prefix);
}

ConversationItem& Transcript::State::own_item(Role role) {
  std::string id;
  do {
    id = own_prefix + std::to_string(++own_items);
  } while (find(id) != nullptr);
  ConversationItem& item = find_or_create(id);
  item.item.role = role;
  return item;
}

/// One id for two speakers means two turns, so that neither changes the other's text. The same
/// holds for one id of a tool's item and of text.
ConversationItem& Transcript::State::in_role(ConversationItem& item, Role role) {
  Role& known_role = item.item.role;
  const Role opposite = role == Role::user ? Role::assistant : Role::user;
  if (known_role == Role::unknown && item.item.kind == ItemKind::message) known_role = role;
  const bool is_tools = item.item.kind != ItemKind::message && role == Role::assistant;
  if (known_role != opposite && !is_tools) return item;
  ConversationItem& other = find_or_create(item.item.id + "#" + std::string(to_string(role)));
  other.item.role = role;
  if (item.in_chain && !other.in_chain) place_behind(other, item, true);
  return other;
}

/// The provider reuses an id: after a deletion, or for another utterance or answer. The old item
/// keeps its place under a new id.
void Transcript::State::retire(ConversationItem& item) {
  const std::string id = item.item.id;
  std::string name;
  do {
    name = id + "@" + std::to_string(++retired);
  } while (find(name) != nullptr);
  const auto rename = [&](auto& map) {
    auto node = map.extract(id);
    if (node.empty()) return;
    node.key() = name;
    map.insert(std::move(node));
  };
  rename(items);
  rename(audio);
  item.item.id = name;
  if (item.tracked)
    std::find_if(tracked.begin(), tracked.end(), [&item](const auto& one) {
      return one.first == &item;
    })->second = {};
  else
    tracked.emplace_back(&item, ConversationItem::Fingerprint());
  item.tracked = true;
  renamed.push_back(id);
  for (auto& [alias, of] : aliases)
    if (of == id) of = name;
  if (scattered == id) scattered = name;
  for (LostText& lost : lost_texts)
    if (lost.behind == id) lost.behind = name;
  for (Pending& request : pending)
    if (request.behind == id) request.behind = name;
}

/// True if the item belongs to an answer that ended before the event's answer.
bool Transcript::State::is_of_earlier_answer(const ConversationItem& item,
                                             const std::string& response_id) {
  if (item.response == nullptr || !item.response->ended || response_id.empty()) return false;
  if (item.response->id != response_id) return true;
  const Response* const meant = find_response(response_id);
  return meant != nullptr && meant != item.response;
}

// ---- The user's speech ----

ConversationItem& Transcript::State::user_item(const std::string& id) {
  ConversationItem* found = id.empty() ? unanswered_speech() : find_tracked(id);
  if (found == nullptr && id.empty()) {
    found = &own_item(Role::user);
    anchor(*found);
    found->placed = true;  // no other event will give its place
  }
  ConversationItem& item = in_role(found != nullptr ? *found : find_or_create(id), Role::user);
  item.spoken = true;
  return item;
}

/// The oldest utterance of this connection that waits for its transcription; nullptr if none does.
ConversationItem* Transcript::State::unanswered_speech() {
  for (std::size_t slot = 0; slot < slots.size(); ++slot) {
    if (!slots[slot].spilled || !slots[slot].awaits_transcription) continue;
    if (bundles[slots[slot].bundle].connection == connection_ends.size())
      bring_back(slots[slot].bundle);
  }
  ConversationItem* oldest = nullptr;
  for (ConversationItem* item : lingering) {
    if (!item->awaits_transcription() || item->settled) continue;
    if (oldest == nullptr || *item->slot < *oldest->slot) oldest = item;
  }
  for (ConversationItem* at = chain.first(); at != nullptr && oldest == nullptr;
       at = at->link.behind)
    if (at->awaits_transcription() && !at->settled) oldest = at;
  for (ConversationItem* at = loose.first(); at != nullptr && oldest == nullptr;
       at = at->link.behind)
    if (at->transcription_pending()) oldest = at;
  if (oldest != nullptr) track(*oldest);
  return oldest;
}

// ---- The model's answers ----

/// The response's item with that output index; without an index, its last message. Without a
/// response id: the only running response, else the item that was begun by text without ids.
ConversationItem* Transcript::State::of_response(const std::string& response_id, int output_index) {
  const Response* response = nullptr;
  if (!response_id.empty()) {
    const auto found = response_of_id.find(response_id);
    response = found != response_of_id.end() ? found->second : find_spilled_response(response_id);
  } else if (running.size() == 1) {
    response = running.front();
  } else {
    ConversationItem* const last = loose.last() != nullptr ? loose.last() : chain.last();
    const bool goes_on = last != nullptr && is_message_of_model(*last) && !last->settled &&
                         (is_unnamed(*last) || last->response == nullptr) && !last->requested;
    return goes_on ? last : nullptr;
  }
  if (response == nullptr) return nullptr;
  for (auto item = response->items.rbegin(); item != response->items.rend(); ++item) {
    if (!is_message_of_model(**item)) continue;
    if (output_index == no_output_index || (*item)->output_index == output_index ||
        (*item)->output_index == no_output_index)
      return *item;
  }
  return nullptr;
}

/// In the event's answer, the item of text without an id that `matches`; nullptr if there is none.
/// So an event that names the item later does not make a second turn of the same text.
template <class Matches>
ConversationItem* Transcript::State::unnamed_answer(const Address& address, Matches matches) {
  if (own_items == 0) return nullptr;
  const Response* response = nullptr;
  if (!address.response_id.empty()) {
    response = find_response(address.response_id);
  } else if (running.size() == 1) {
    response = running.front();
  }
  const auto is_it = [&](const ConversationItem& item) {
    return is_unnamed(item) && is_message_of_model(item) && !item.settled && matches(item);
  };
  ConversationItem* found = nullptr;
  if (response != nullptr) {
    const auto at = std::find_if(response->items.begin(), response->items.end(),
                                 [&](const ConversationItem* item) { return is_it(*item); });
    if (at != response->items.end()) found = *at;
  }
  if (found == nullptr && !scattered.empty())
    if (ConversationItem* const last = find(scattered))
      if (last->response == nullptr && is_it(*last)) found = last;
  if (found != nullptr) track(*found);
  return found;
}

/// A placed answer without text and response: text without an id can only belong to it. nullptr if
/// the last item is not such an answer.
ConversationItem* Transcript::State::placed_and_empty() {
  ConversationItem* const last = chain.last();
  const bool fits = last != nullptr && is_message_of_model(*last) && last->placed &&
                    last->response == nullptr && !last->settled && last->item.parts.empty() &&
                    last->item.status == ItemStatus::in_progress;
  if (fits) track(*last);
  return fits ? last : nullptr;
}

/// The item that the event names, or the unnamed one that it continues; nullptr: there is none.
ConversationItem* Transcript::State::item_named(const Address& address, int content_index,
                                                const Text* whole) {
  if (address.item_id.empty()) return nullptr;
  if (ConversationItem* const found = find_tracked(address.item_id)) return found;
  ConversationItem* const unnamed = unnamed_answer(address, [&](const ConversationItem& item) {
    return whole != nullptr ? item.is_begun_by(content_index, *whole)
                            : !item.has_ended(content_index);
  });
  if (unnamed != nullptr) remember_alias(address.item_id, *unnamed);
  return unnamed;
}

/// The item at the event's place in its response; nullptr: there is none that takes the text.
ConversationItem* Transcript::State::item_in_response(const Address& address, int content_index,
                                                      const Text* whole) {
  const bool may_be_anothers = address.item_id.empty() || address.output_index != no_output_index;
  if (!may_be_anothers) return nullptr;
  ConversationItem* const found = of_response(address.response_id, address.output_index);
  if (found == nullptr) return nullptr;
  // A part that has ended takes no more text: new text begins another item.
  const bool repeats = whole != nullptr && found->says(content_index, *whole);
  if (found->has_ended(content_index) && !repeats) return nullptr;
  track(*found);
  if (!address.item_id.empty()) scattered = found->item.id;
  return found;
}

/// The item of a text whose event names none: one that is placed and empty, else a new one.
ConversationItem& Transcript::State::item_without_name(const Address& address) {
  if (ConversationItem* const placed = placed_and_empty()) return *placed;
  ConversationItem& own = own_item(Role::assistant);
  scattered = own.item.id;
  if (address.response_id.empty() && running.size() != 1) anchor(own);
  return own;
}

/// The item of a text of the model. `whole`: the part's whole text; null for a delta.
ConversationItem& Transcript::State::assistant_item(const Address& address, int content_index,
                                                    const Text* whole) {
  ConversationItem* found = item_named(address, content_index, whole);
  if (found == nullptr) found = item_in_response(address, content_index, whole);
  if (found == nullptr && address.item_id.empty()) found = &item_without_name(address);
  std::string response_id = address.response_id;
  ConversationItem* item =
      &in_role(found != nullptr ? *found : find_or_create(address.item_id), Role::assistant);
  if (is_of_earlier_answer(*item, response_id)) {
    retire(*item);
    item = &in_role(find_or_create(address.item_id), Role::assistant);
  }
  // Without a response id, it belongs to the only running response.
  if (response_id.empty() && running.size() == 1 && !item->settled &&
      !(running.front()->out_of_band && item->placed))
    response_id = running.front()->id;
  join(*item, response_id);
  if (item->output_index == no_output_index) item->output_index = address.output_index;
  if (!stray_audio.empty()) take_stray_audio(*item);
  return *item;
}

/// The item in response.output_item.added or .done, or in a response's output.
ConversationItem* Transcript::State::output_item(const Address& address, const Item& reported,
                                                 bool done) {
  if (ConversationItem* const call = output_call(address, reported)) return call;
  ConversationItem* found = address.item_id.empty() ? nullptr : find_tracked(address.item_id);
  if (found != nullptr && is_of_earlier_answer(*found, address.response_id)) {
    retire(*found);
    found = nullptr;
  }
  if (found == nullptr && !reported.parts.empty() && reported.kind == ItemKind::message) {
    found = unnamed_answer(address, [&reported](const ConversationItem& item) {
      return std::all_of(reported.parts.begin(), reported.parts.end(), [&item](const Part& part) {
        return item.is_begun_by(part.content_index, part.text);
      });
    });
    if (found != nullptr && !address.item_id.empty()) remember_alias(address.item_id, *found);
  }
  if (found == nullptr && !address.response_id.empty()) {
    ConversationItem* const same = of_response(address.response_id, address.output_index);
    const auto is_its_end = [&] {
      return same->item.status != ItemStatus::completed || same->says_all(reported.parts);
    };
    const bool open = same != nullptr && same->item.kind == reported.kind &&
                      (done ? is_its_end() : !same->described) &&
                      (address.item_id.empty() || same->output_index == address.output_index) &&
                      address.output_index != no_output_index;
    if (open) {
      found = same;
      track(*found);
      remember_alias(address.item_id, *found);
    }
  }
  if (found == nullptr)
    found = address.item_id.empty() ? &own_item(reported.role) : &find_or_create(address.item_id);
  join(*found, address.response_id);
  if (found->output_index == no_output_index) found->output_index = address.output_index;
  if (!stray_audio.empty() && reported.kind == ItemKind::message) take_stray_audio(*found);
  return found;
}

/// The open answer, if it has no place yet and `placed` can only be its place under another id;
/// else nullptr.
ConversationItem* Transcript::State::announced_under_other_id(const Item& placed) {
  if (placed.kind != ItemKind::message || placed.role != Role::assistant) return nullptr;
  if (running.size() != 1 || running.front()->out_of_band || running.front()->items.empty())
    return nullptr;
  ConversationItem* const last = running.front()->items.back();
  if (!is_message_of_model(*last) || last->placed || last->in_chain || last->settled)
    return nullptr;
  track(*last);
  return last;
}

void Transcript::State::remember_alias(const std::string& id, const ConversationItem& item) {
  scattered = item.item.id;
  const bool is_anothers = id.empty() || find(id) != nullptr;
  if (!is_anothers && aliases.size() < aliases_max) aliases.try_emplace(id, item.item.id);
}

// ---- Client requests ----

/// Takes the request that this item answers, if any. First the request that named the item. If no
/// event has named the item before: a request with the same text under any id, since servers may
/// choose their own. Else the first request of the same kind without an id.
std::optional<Transcript::State::Pending> Transcript::State::acknowledge(const Item& placed) {
  const auto answered = answered_by(placed);
  if (answered == pending.cend()) return std::nullopt;
  const auto at = pending.begin() + (answered - pending.cbegin());
  std::optional<Pending> request(std::move(*at));
  pending_bytes -= size_of(request->asked);
  pending.erase(at);
  return request;
}

std::deque<Transcript::State::Pending>::const_iterator Transcript::State::answered_by(
    const Item& placed) const {
  if (pending.empty()) return pending.cend();
  const auto find_if = [this](auto matches) {
    return std::find_if(pending.cbegin(), pending.cend(),
                        [&](const Pending& one) { return matches(one.asked.item); });
  };
  const auto is_like = [&placed](const Item& wanted) {
    return wanted.kind == placed.kind && wanted.role == placed.role;
  };
  const auto named =
      find_if([&](const Item& wanted) { return !wanted.id.empty() && wanted.id == placed.id; });
  const bool known =
      look_at(placed.id, [](const ConversationItem* item) { return item != nullptr; });
  if (named != pending.cend() || known) return named;
  const bool is_speech = std::any_of(placed.parts.begin(), placed.parts.end(),
                                     [](const Part& part) { return part.spoken_input; });
  if (!placed.parts.empty()) {
    const auto same = find_if(
        [&](const Item& wanted) { return is_like(wanted) && wanted.parts == placed.parts; });
    if (same != pending.cend()) return same;
  }
  return find_if([&](const Item& wanted) {
    return wanted.id.empty() && is_like(wanted) && (!is_speech || wanted.parts.empty());
  });
}

/// Keeps typed text as a turn even if the provider has not acknowledged it. It is placed where the
/// client asked, else behind the item that was last at that time. Call it in the order of the
/// requests, since each looks for the earlier ones.
void Transcript::State::keep_unacknowledged(Pending request) {
  const ItemRequested& asked = request.asked;
  ConversationItem* item = asked.item.id.empty() ? nullptr : find_tracked(asked.item.id);
  if (is_kept_unacknowledged(item) && !item->says_all(asked.item.parts))
    item = nullptr;  // one id for two texts: it is not known which was refused
  const bool is_new = item == nullptr;
  if (is_new) {
    const bool is_taken = asked.item.id.empty() || find(asked.item.id) != nullptr;
    item = is_taken ? &own_item(asked.item.role) : &find_or_create(asked.item.id);
  }
  if (item->placed || item->is_turn()) return;  // other events have given the item
  item->requested = true;
  item->learn(asked.item, request.at);
  take_detail(*item, request);
  item->started_at = item->ended_at = request.at;
  if (asked.place != Position::end) {
    place(*item, {}, &asked);
    item->placed = false;
    return;
  }
  if (item->in_chain) return;
  ConversationItem* before = request.behind.empty() ? nullptr : find(request.behind);
  if (before == item || (before != nullptr && !before->in_chain)) before = nullptr;
  if (before == nullptr && !request.behind.empty()) return anchor(*item);
  if ((before == nullptr || before->slot) && !slots.empty()) bring_back_all();
  // Go behind the items that were requested earlier for the same place.
  for (ConversationItem* next = before != nullptr ? before->link.behind : chain.first();
       is_kept_unacknowledged(next); next = next->link.behind)
    before = next;
  if (before != nullptr) return place_behind(*item, *before, true);
  loose.remove(*item);
  chain.push_front(*item);
  item->in_chain = true;
}

void Transcript::State::bound_pending() {
  while (pending.size() > options.requested_items_max ||
         pending_bytes > options.requested_bytes_max) {
    Pending oldest = std::move(pending.front());
    pending.pop_front();
    pending_bytes -= size_of(oldest.asked);
    keep_unacknowledged(std::move(oldest));
  }
}

std::size_t Transcript::State::size_of(const ItemRequested& asked) {
  std::size_t bytes = asked.item.detail.size();
  for (const Part& part : asked.item.parts) bytes += part.text.size_bytes();
  return bytes;
}

}  // namespace verbatim::transcript
