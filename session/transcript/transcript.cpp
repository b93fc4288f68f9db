#include "session/transcript/transcript.hpp"

#include <algorithm>
#include <utility>

#include "session/transcript/tool_calls.hpp"
#include "session/transcript/transcript_state.hpp"

namespace verbatim::transcript {

// ---- Items and their order ----

ConversationItem* Transcript::State::find_tracked(const std::string& id) {
  ConversationItem* const item = find(id);
  if (item != nullptr) track(*item);
  return item;
}

ConversationItem& Transcript::State::find_or_create(const std::string& id) {
  if (ConversationItem* const item = find_tracked(id)) return *item;
  ConversationItem& item = items[id];
  track(item);
  item.item.id = id;
  loose.push_back(item);
  return item;
}

/// Rule 4. An item that has a place keeps it.
void Transcript::State::place(ConversationItem& item, const ItemPlaced& reported,
                              const ItemRequested* asked) {
  item.placed = true;
  if (item.in_chain) return;
  const bool may_ask =
      asked != nullptr && (asked->item.id == item.item.id || reported.place != Position::after ||
                           reported.previous.empty());
  if (may_ask && asked->place == Position::front) return place_in_front(item);
  ConversationItem* const wanted =
      may_ask && asked->place == Position::after ? find(asked->previous) : nullptr;
  if (wanted != nullptr && wanted != &item) return place_behind(item, *wanted, true);
  ConversationItem* before = reported.place == Position::after ? find(reported.previous) : nullptr;
  if (before == &item) before = nullptr;
  if (asked == nullptr && item.item.role != Role::user && anchor_unplaced_speech(item, before))
    return anchor(item);
  if (before != nullptr) return place_behind(item, *before, false);
  anchor(item);  // null means the end too: the provider's conversation may be empty, ours is not
}

/// Only if a client asked for it. Places the item before everything that the provider still has.
void Transcript::State::place_in_front(ConversationItem& item) {
  if (!slots.empty()) bring_back_all();
  loose.remove(item);
  ConversationItem* first = chain.first();
  while (first != nullptr && first->deleted) first = first->link.behind;
  if (first == nullptr) {
    chain.push_back(item);
  } else if (first->link.before != nullptr) {
    chain.insert_behind(*first->link.before, item);
  } else {
    chain.push_front(item);
  }
  item.in_chain = true;
}

/// A new connection does not know the items that it was not given. If it names an item of an
/// earlier connection, the new item belongs behind all items of earlier connections. A client's
/// request is taken literally.
void Transcript::State::place_behind(ConversationItem& item, ConversationItem& before,
                                     bool asked_for) {
  if (before.settled && !asked_for) return place_behind_earlier_connections(item);
  if (before.slot) bring_back_all();
  anchor(before);
  insert_behind(before, item);
}

void Transcript::State::place_behind_earlier_connections(ConversationItem& item) {
  const auto is_of_this_connection = [this](std::size_t slot) {
    if (slots[slot].spilled)
      return bundles[slots[slot].bundle].connection == connection_ends.size();
    return std::any_of(lingering.begin(), lingering.end(), [slot](const ConversationItem* one) {
      return one->slot == slot && !one->settled;
    });
  };
  if (!slots.empty() && is_of_this_connection(slots.size() - 1)) bring_back_all();
  ConversationItem* before = chain.last();
  while (before != nullptr && !before->settled) before = before->link.before;
  if (before != nullptr) return insert_behind(*before, item);
  loose.remove(item);
  chain.push_front(item);  // the whole chain is of this connection; earlier items are in slots
  item.in_chain = true;
}

/// Skips items behind the named one that the provider cannot name: deleted items, and speech
/// without an id. If only those follow, it means the end. If two speakers share the id, it means
/// the second.
void Transcript::State::insert_behind(ConversationItem& named_before, ConversationItem& item) {
  const ConversationItem* const other = named_before.link.behind;
  const bool is_pair = other != nullptr && other->item.id.starts_with(named_before.item.id + "#");
  ConversationItem& before = is_pair ? *named_before.link.behind : named_before;
  ConversationItem* last = &before;
  const auto cannot_be_named = [](const ConversationItem& one) {
    return one.deleted || (one.spoken && is_unnamed(one));
  };
  while (last->link.behind != nullptr && cannot_be_named(*last->link.behind))
    last = last->link.behind;
  const bool at_end = last->link.behind == nullptr;
  loose.remove(item);
  chain.insert_behind(at_end ? *last : before, item);
  item.in_chain = true;
}

/// Puts an item without a place at the end.
void Transcript::State::anchor(ConversationItem& item) {
  if (item.in_chain) return;
  loose.remove(item);
  chain.push_back(item);
  item.in_chain = true;
}

/// Some servers place their answers but never the user's speech. An answer at the end then comes
/// after the speech before it: speech with its text, or ended speech that waits for its text.
/// False: there is no such speech.
bool Transcript::State::anchor_unplaced_speech(const ConversationItem& answer,
                                               const ConversationItem* before) {
  const bool is_last = before == nullptr || (before->in_chain && !before->slot &&
                                             !before->settled && before->link.behind == nullptr);
  if (!is_last) return false;
  bool any = false;
  for (ConversationItem* at = loose.first(); at != nullptr && at != &answer;) {
    ConversationItem* const next = at->link.behind;
    const bool is_over =
        at->item.role == Role::user && !at->settled && !at->discarded &&
        (at->spoken && at->ended_at ? true
                                    : at->is_turn() && at->status() == TurnStatus::completed);
    if (is_over) anchor(*at);
    any = any || is_over;
    at = next;
  }
  return any;
}

/// Places an answer that the provider has not placed: after the text that was named before it.
void Transcript::State::anchor_answer(ConversationItem& item) {
  if (item.in_chain) return;
  for (ConversationItem* at = loose.first(); at != &item;) {
    ConversationItem* const next = at->link.behind;
    if (at->is_turn() || (at->spoken && at->ended_at && !at->discarded)) anchor(*at);
    at = next;
  }
  anchor(item);
}

/// Open items in the spill are brought back for this; the others are settled when they are read.
void Transcript::State::settle_all() {
  for (std::size_t slot = 0; slot < slots.size(); ++slot)
    if (slots[slot].spilled && slots[slot].is_open) bring_back(slots[slot].bundle);
  for (ConversationItem* item : lingering) {
    track(*item);
    item->settle(now);
  }
  for (const ItemChain* list : {&chain, &loose}) {
    for (ConversationItem* at = list->first(); at != nullptr; at = at->link.behind) {
      track(*at);
      at->settle(now);
    }
  }
  connection_ends.push_back(now);
}

// ---- Responses ----

/// nullptr if this connection has no response with that id.
Response* Transcript::State::find_response(const std::string& id) {
  const auto found = response_of_id.find(id);
  return found != response_of_id.end() ? found->second : find_spilled_response(id);
}

/// A new response is created and counts as running: the stream may have begun in the middle.
Response& Transcript::State::response(const std::string& id) {
  Response* const found = find_response(id);
  return found != nullptr ? *found : begin_response(id);
}

Response& Transcript::State::begin_response(const std::string& id) {
  Response& begun = responses.emplace_back();
  begun.id = id;
  begun.connection = connection_ends.size();
  response_of_id[id] = &begun;
  running.push_back(&begun);
  return begun;
}

void Transcript::State::join(ConversationItem& item, const std::string& response_id) {
  if (response_id.empty() || item.response != nullptr) return;
  item.response = &response(response_id);
  item.response->items.push_back(&item);
}

// ---- Changes ----

void Transcript::State::track(ConversationItem& item) {
  if (item.tracked) return;
  item.tracked = true;
  tracked.emplace_back(&item, item.fingerprint());
}

std::vector<std::string> Transcript::State::changed() {
  std::vector<std::string> ids;
  for (const auto& [item, before] : tracked) {
    item->tracked = false;
    if (item->item.kind != ItemKind::message) ++tools_version;
    if (item->fingerprint() != before) ids.push_back(item->item.id);
  }
  tracked.clear();
  for (std::string& id : renamed)
    if (std::find(ids.begin(), ids.end(), id) == ids.end()) ids.push_back(std::move(id));
  renamed.clear();
  return ids;
}

void Transcript::State::finish(TimeMs at) {
  if (finished) return;
  now = std::max(now, at);
  while (loose.first() != nullptr) anchor(*loose.first());
  for (; !pending.empty(); pending.pop_front()) keep_unacknowledged(std::move(pending.front()));
  settle_all();
  changed();
  audio.clear();
  finished = true;
}

int Transcript::State::ordinal(const ConversationItem& item) const {
  int turns = 0;
  SpillReader reader(*this);
  for (std::size_t slot = 0; slot < slots.size(); ++slot) {
    turns += (slots[slot].spilled ? slots[slot].is_turn : reader.at(slot).is_turn()) ? 1 : 0;
    if (item.slot == slot) return turns;
  }
  for (const ItemChain* list : {&chain, &loose}) {
    for (const ConversationItem* at = list->first(); at != nullptr; at = at->link.behind) {
      if (at->is_turn()) ++turns;
      if (at == &item) return turns;
    }
  }
  return turns;
}

bool Transcript::State::awaiting_transcription() const {
  bool any = std::any_of(slots.begin(), slots.end(),
                         [](const Slot& slot) { return slot.awaits_transcription; });
  const auto look = [&any](const ConversationItem& item) {
    any = any || item.awaits_transcription();
  };
  for (const ConversationItem* item : lingering) look(*item);
  walk_linked(look);
  return any;
}

/// Searches from the end, where the last turn almost always is.
bool Transcript::State::awaiting_answer() const {
  const auto is_said = [](const ConversationItem& item) {
    return item.is_turn() || item.item.kind == ItemKind::function_call;
  };
  const auto is_question = [](const ConversationItem& item) {
    return item.spoken && item.placed && !item.deleted && !item.turn().text.empty();
  };
  for (const ItemChain* list : {&loose, &chain})
    for (const ConversationItem* at = list->last(); at != nullptr; at = at->link.before)
      if (is_said(*at)) return is_question(*at);
  SpillReader reader(*this);
  for (std::size_t slot = slots.size(); slot-- > 0;)
    if (const ConversationItem& item = reader.at(slot); is_said(item)) return is_question(item);
  return false;
}

// ---- Public functions ----

Transcript::Transcript(TranscriptOptions options) : state_(std::make_unique<State>(options)) {}
Transcript::~Transcript() = default;
Transcript::Transcript(Transcript&&) noexcept = default;
Transcript& Transcript::operator=(Transcript&&) noexcept = default;

Transcript::Applied Transcript::apply(const Event& event, TimeMs now) {
  return state_->apply(event, now);
}

std::int64_t Transcript::audio_sent_ms(const std::string& item_id, int content_index) const {
  return state_->audio_sent_ms(item_id, content_index);
}

std::vector<AnswerAudio> Transcript::unrecorded_audio() const { return state_->unrecorded_audio(); }

void Transcript::spill_to(std::unique_ptr<Spill> spill, std::size_t items_in_memory) {
  state_->spill_to(std::move(spill), items_in_memory);
}

void Transcript::finish(TimeMs now) { state_->finish(now); }
bool Transcript::finished() const { return state_->finished; }
void Transcript::not_before(TimeMs at) { state_->now = std::max(state_->now, at); }
TimeMs Transcript::latest() const { return state_->now; }

Transcript::Contents Transcript::contents(bool with_tool_calls) const {
  Contents all;
  const auto lost_behind = [this, &all](const std::string& item_id) {
    for (const State::LostText& lost : state_->lost_texts)
      if (lost.behind == item_id)
        all.gaps.push_back(
            {{}, GapKind::unplaced_text, static_cast<int>(all.turns.size()), lost.count});
  };
  lost_behind({});
  ToolCalls tools;
  state_->walk([&](const ConversationItem& item) {
    if (const auto kind = item.gap()) all.gaps.push_back({item.item.id, *kind});
    all.cut_off = all.cut_off || item.cut_off();
    if (with_tool_calls && item.item.kind != ItemKind::message)
      state_->with_detail(item, [&](const auto& whole) { tools.item(whole); });
    if (item.is_turn()) {
      all.turns.push_back(item.turn());
      all.turns.back().ordinal = static_cast<int>(all.turns.size());
      tools.turn();
    }
    lost_behind(item.item.id);
  });
  all.tool_calls = tools.take(finished());
  return all;
}

std::vector<Turn> Transcript::turns() const { return contents(false).turns; }
std::vector<Gap> Transcript::gaps() const { return contents(false).gaps; }

std::optional<Turn> Transcript::turn(const std::string& item_id) const {
  return state_->look_at(item_id, [](const ConversationItem* item) {
    return item != nullptr && item->is_turn() ? std::optional(item->turn()) : std::nullopt;
  });
}

std::optional<Turn> Transcript::ended_turn(const std::string& item_id) const {
  return state_->look_at(item_id, [](const ConversationItem* item) {
    const bool ended =
        item != nullptr && item->is_turn() && item->status() != TurnStatus::in_progress;
    return ended ? std::optional(item->turn()) : std::nullopt;
  });
}

std::optional<Turn> Transcript::numbered_turn(const std::string& item_id) const {
  return state_->look_at(item_id, [this](const ConversationItem* item) {
    std::optional<Turn> turn;
    if (item == nullptr || !item->is_turn()) return turn;
    turn = item->turn();
    turn->ordinal = state_->ordinal(*item);
    return turn;
  });
}

std::uint64_t Transcript::tools_version() const { return state_->tools_version; }

bool Transcript::awaiting_transcription() const { return state_->awaiting_transcription(); }

std::vector<std::string> Transcript::usage() const { return state_->all_usage(); }
const Usage& Transcript::used() const { return state_->used; }
const ResponseCounts& Transcript::responses() const { return state_->response_counts; }
const std::string& Transcript::provider_session_id() const { return state_->provider_session_id; }
const std::string& Transcript::language() const { return state_->language; }

std::vector<std::string> Transcript::chain() const {
  std::vector<std::string> ids;
  state_->walk([&ids](const ConversationItem& item) {
    const bool link = item.item.kind != ItemKind::message && item.placed && !item.deleted;
    if (link || item.is_turn()) ids.push_back(item.item.id);
  });
  return ids;
}

std::optional<Item> Transcript::item(const std::string& item_id) const {
  return state_->look_at(item_id, [this](const ConversationItem* item) {
    return item != nullptr ? std::optional(state_->whole(*item)) : std::nullopt;
  });
}

std::optional<Item> Transcript::outline(const std::string& item_id) const {
  return state_->look_at(item_id, [](const ConversationItem* item) {
    return item != nullptr ? std::optional(item->item) : std::nullopt;
  });
}

bool Transcript::has_detail(const Item& item) const { return state_->has_detail(item); }

bool Transcript::is_in_conversation(const std::string& item_id) const {
  return state_->look_at(item_id, [](const ConversationItem* item) {
    return item != nullptr && !item->deleted && (item->placed || item->is_turn());
  });
}

bool Transcript::is_open(const std::string& item_id) const {
  return state_->look_at(item_id, [](const ConversationItem* item) {
    if (item == nullptr || item->settled) return false;
    if (item->is_turn()) return item->status() == TurnStatus::in_progress;
    return item->item.status == ItemStatus::in_progress;
  });
}

std::string Transcript::item_before(const std::string& item_id) const {
  std::string before;
  for (std::string& one : chain()) {
    if (one == item_id) break;
    if (is_in_conversation(one)) before = std::move(one);
  }
  return before;
}

bool Transcript::is_settled(const std::string& item_id) const {
  return state_->look_at(
      item_id, [](const ConversationItem* item) { return item != nullptr && item->settled; });
}

std::vector<Transcript::Running> Transcript::running() const {
  std::vector<Running> all;
  for (const Response* response : state_->running) {
    all.push_back({response->id, response->out_of_band, {}});
    for (const ConversationItem* item : response->items)
      all.back().item_ids.push_back(item->item.id);
  }
  return all;
}

bool Transcript::is_answering() const { return !state_->running.empty(); }

bool Transcript::awaiting_answer() const { return state_->awaiting_answer(); }

}  // namespace verbatim::transcript
