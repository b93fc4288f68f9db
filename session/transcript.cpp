#include "session/transcript.hpp"

#include <utility>

#include "session/transcript_state.hpp"

namespace verbatim::session {

// ---- the items and their order -------------------------------------------------------------

const ConversationItem* Transcript::State::find(const std::string& id) const {
  const auto found = items.find(id);
  return found == items.end() ? nullptr : &found->second;
}

ConversationItem* Transcript::State::known(const std::string& id) {
  const auto found = items.find(id);
  if (found == items.end()) return nullptr;
  watch(found->second);
  return &found->second;
}

ConversationItem& Transcript::State::named(const std::string& id) {
  const auto [found, is_new] = items.try_emplace(id);
  ConversationItem& item = found->second;
  watch(item);
  if (is_new) {
    item.item.id = id;
    loose.push_back(item);
  }
  return item;
}

ConversationItem* Transcript::State::speech(const std::string& id) {
  ConversationItem& item = named(id);
  if (item.is_answer()) return nullptr;
  if (item.item.role == Role::unknown) item.item.role = Role::user;
  item.spoken = true;
  return &item;
}

/// The item that the model's text belongs to; nullptr if it is a user's.
ConversationItem* Transcript::State::answer(const std::string& id, const std::string& response_id) {
  ConversationItem& item = named(id);
  if (item.item.role == Role::user) return nullptr;
  if (item.item.role == Role::unknown) item.item.role = Role::assistant;
  join(item, response_id);
  return &item;
}

/// Rule 4. What has a place keeps it.
void Transcript::State::place(ConversationItem& item, Place where, const std::string& previous) {
  item.placed = true;
  if (item.in_chain) return;
  const auto named_before = items.find(previous);
  if (where == Place::front) {
    loose.remove(item);
    chain.push_front(item);
    item.in_chain = true;
  } else if (where == Place::after && named_before != items.end() &&
             &named_before->second != &item) {
    anchor(named_before->second);
    loose.remove(item);
    chain.insert_behind(named_before->second, item);
    item.in_chain = true;
  } else {
    anchor(item);
  }
}

/// Gives an item whose place was not told one at the end.
void Transcript::State::anchor(ConversationItem& item) {
  if (item.in_chain) return;
  loose.remove(item);
  chain.push_back(item);
  item.in_chain = true;
}

void Transcript::State::settle_all() {
  for (const ItemChain* list : {&chain, &loose}) {
    for (ConversationItem* at = list->first(); at != nullptr; at = at->link.behind) {
      watch(*at);
      at->settle(now);
    }
  }
}

// ---- responses -----------------------------------------------------------------------------

/// Made and counted as running if it is new: we may have come in the middle.
Response& Transcript::State::response(const std::string& id) {
  const auto [found, is_new] = response_of_id.try_emplace(id, nullptr);
  if (is_new) {
    found->second = &responses.emplace_back();
    found->second->id = id;
    running.push_back(found->second);
  }
  return *found->second;
}

void Transcript::State::join(ConversationItem& item, const std::string& response_id) {
  if (response_id.empty() || item.response != nullptr) return;
  item.response = &response(response_id);
  item.response->items.push_back(&item);
}

// ---- what changed --------------------------------------------------------------------------

void Transcript::State::watch(ConversationItem& item) {
  if (item.watched) return;
  item.watched = true;
  watched.emplace_back(&item, item.face());
}

std::vector<std::string> Transcript::State::touched() {
  std::vector<std::string> ids;
  for (const auto& [item, before] : watched) {
    item->watched = false;
    if (item->face() != before) ids.push_back(item->item.id);
  }
  watched.clear();
  return ids;
}

void Transcript::State::finish(TimeMs at) {
  if (finished) return;
  now = at;
  settle_all();
  touched();
  audio.clear();
  finished = true;
}

// ---- the public face -----------------------------------------------------------------------

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

void Transcript::finish(TimeMs now) { state_->finish(now); }
bool Transcript::finished() const { return state_->finished; }

std::vector<Turn> Transcript::turns() const {
  std::vector<Turn> turns;
  state_->walk([&turns](const ConversationItem& item) {
    if (!item.is_turn()) return;
    turns.push_back(item.turn());
    turns.back().ordinal = static_cast<int>(turns.size());
  });
  return turns;
}

std::optional<Turn> Transcript::turn(const std::string& item_id) const {
  const ConversationItem* item = state_->find(item_id);
  if (item == nullptr || !item->is_turn()) return std::nullopt;
  return item->turn();
}

std::vector<Gap> Transcript::gaps() const {
  std::vector<Gap> gaps;
  state_->walk([&gaps](const ConversationItem& item) {
    if (const auto kind = item.gap()) gaps.push_back({item.item.id, *kind, 0});
  });
  if (!finished()) return gaps;
  for (const auto& request : state_->pending)
    gaps.push_back({request.item_id, GapKind::unacknowledged_item});
  return gaps;
}

bool Transcript::awaiting_transcription() const {
  bool any = false;
  state_->walk([&any](const ConversationItem& item) {
    any = any || (item.spoken && item.placed && item.status() == TurnStatus::in_progress);
  });
  return any;
}

bool Transcript::cut_off() const {
  bool any = false;
  state_->walk([&any](const ConversationItem& item) { any = any || item.cut_off(); });
  return any;
}

const std::vector<std::string>& Transcript::usage() const { return state_->usage; }
const Usage& Transcript::used() const { return state_->used; }

std::vector<std::string> Transcript::chain() const {
  std::vector<std::string> ids;
  state_->walk([&ids](const ConversationItem& item) {
    const bool link = item.item.kind != ItemKind::message && item.placed && !item.deleted;
    if (link || item.is_turn()) ids.push_back(item.item.id);
  });
  return ids;
}

const Item* Transcript::item(const std::string& item_id) const {
  const ConversationItem* item = state_->find(item_id);
  return item == nullptr ? nullptr : &item->item;
}

bool Transcript::is_settled(const std::string& item_id) const {
  const ConversationItem* item = state_->find(item_id);
  return item != nullptr && item->settled;
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

bool Transcript::awaiting_answer() const {
  const ConversationItem* last = nullptr;
  state_->walk([&last](const ConversationItem& item) {
    if (item.is_turn() || item.item.kind == ItemKind::function_call) last = &item;
  });
  return last != nullptr && last->spoken && last->placed && !last->deleted &&
         !last->turn().text.empty();
}

}  // namespace verbatim::session
