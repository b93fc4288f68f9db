// Moves old parts of a long conversation to the spill and brings them back. Part of
// Transcript::State; one thread at a time.
#include <algorithm>
#include <functional>
#include <limits>
#include <string_view>
#include <utility>

#include "base/assert.hpp"
#include "base/codec.hpp"
#include "session/transcript/transcript_state.hpp"

namespace verbatim::transcript {

namespace {

/// How many of the oldest items may stay in memory while their answer is open.
constexpr std::size_t lingering_max = 32;

/// Average bytes of text per item in memory; few items have a hundredth of it.
constexpr std::size_t text_of_item_max = 64 * 1024;

/// Item JSON above this size goes to the spill at once.
constexpr std::size_t detail_in_memory_max = 4096;

/// After a refusal, the spill is not asked again for this many events.
constexpr int pause_after_refusal = 256;

/// Elements of the usage list are moved out in groups of this size: the usage of eight responses.
constexpr std::size_t usage_in_memory = 16;

struct SpillFields {
  template <class T>
  static auto of(T& value) {
    using Struct = std::remove_const_t<T>;
    if constexpr (std::is_same_v<Struct, Part>) {
      return std::tie(value.content_index, value.text, value.spoken_input);
    } else if constexpr (std::is_same_v<Struct, Item>) {
      return std::tie(value.id, value.kind, value.role, value.status, value.parts, value.detail);
    } else {
      return Struct::members(value);
    }
  }
  /// Any value: the bytes are our own, and the spill guarantees them.
  template <class T>
  static constexpr std::uint8_t last_of(T) {
    return std::numeric_limits<std::uint8_t>::max();
  }
};

/// A hash of the id, never 0.
std::uint32_t print_of(std::string_view id) {
  return std::max<std::uint32_t>(1, static_cast<std::uint32_t>(std::hash<std::string_view>{}(id)));
}

}  // namespace

void Transcript::State::spill_to(std::unique_ptr<Spill> to, std::size_t most) {
  spill_ = std::move(to);
  items_in_memory = most;
  if (spill_) {
    walk_linked([this](const ConversationItem& item) {
      ConversationItem& ours = items.find(item.item.id)->second;
      stow(ours.item.kind, ours.item.detail, ours.detail_place);
    });
  }
  if (spill_ && !finished) spill();
}

// ---- An item's detail ----

void Transcript::State::stow(ItemKind kind, std::string& detail,
                             std::optional<Spill::Offset>& place) {
  if (detail.size() <= detail_in_memory_max) return;
  if (spill_) {
    if (!place) place = spill_->put(detail);
    if (place) detail = {};
  } else if (kind == ItemKind::message) {
    detail = detail_not_kept;  // without a spill, only the turns are wanted
  }
}

void Transcript::State::fetch_detail(ConversationItem& item) const {
  if (item.detail_place && item.item.detail.empty())
    item.item.detail = spill_->get(*item.detail_place);
}

Item Transcript::State::whole(const ConversationItem& item) const {
  Item all = item.item;
  if (item.detail_place) all.detail = spill_->get(*item.detail_place);
  return all;
}

/// Takes a snapshot. For a tool's item, it is compared with what is known.
void Transcript::State::learn(ConversationItem& item, const Item& from) {
  const bool is_tools = item.item.kind != ItemKind::message;
  if (is_tools && from.kind == ItemKind::message && !from.parts.empty() &&
      from.role != Role::user) {
    ConversationItem& words = in_role(item, Role::assistant);  // one id for both
    return words.learn(from, now);
  }
  if (is_tools) fetch_detail(item);
  item.learn(from, now);
}

/// The client's requested JSON is the form that can be sent again.
void Transcript::State::take_detail(ConversationItem& item, const Pending& request) {
  if (request.detail_print == 0 || item.settled) return;
  item.set_detail(request.asked.item.detail, true);
  item.detail_place = request.detail_place;
  item.detail_print = request.detail_print;
}

/// True if the item's content besides its text is known, or a client's request has set it.
bool Transcript::State::has_detail(const Item& item) const {
  const std::uint64_t print = print_of_detail(item.detail);
  const bool known = look_at(item.id, [print](const ConversationItem* ours) {
    return ours != nullptr && (ours->detail_of_client || ours->detail_print == print);
  });
  if (known) return true;
  const auto request = answered_by(item);
  return request != pending.cend() && request->detail_print != 0;
}

// ---- Out ----

/// Call it between events: no pointer to a moved item may be in use.
void Transcript::State::spill() {
  Response* const ended = std::exchange(bare, nullptr);
  if (!spill_ || items_in_memory == 0) return;
  if (refusals > 0) {
    --refusals;
    return;
  }
  while (is_full() && lingering.size() < lingering_max) {
    ConversationItem& oldest = *chain.first();
    lingering.push_back(&oldest);
    slots.push_back({print_of(oldest.item.id)});
    oldest.slot = slots.size() - 1;
    chain.remove(oldest);
    weighed = 0;
  }
  bool taken = ended == nullptr || !ended->items.empty() || put_out({}, ended);
  for (std::size_t i = 0; taken && i < lingering.size();) {
    ConversationItem& item = *lingering[i];
    if (!may_go_out(item)) {
      ++i;  // the other items of its bundle stay too
    } else if (item.response != nullptr) {
      taken = put_out(std::vector(item.response->items), item.response);
    } else {
      taken = put_out({&item}, nullptr);
    }
  }
  if (taken && usage.size() >= usage_in_memory) taken = put_out_usage();
  if (!taken) refusals = pause_after_refusal;
}

/// Limits the number of items in memory and the bytes of their text. The text is measured only when
/// the number changes, since a typed text, which can be large, comes whole.
bool Transcript::State::is_full() {
  if (chain.size() > items_in_memory) return true;
  const std::size_t count = slots.size() + chain.size();
  if (chain.size() < 2 || std::exchange(weighed, count) == count) return false;
  std::size_t bytes = 0;
  for (const ConversationItem* at = chain.first(); at != nullptr; at = at->link.behind)
    for (const Part& part : at->item.parts) bytes += part.text.size_bytes();
  return bytes > items_in_memory * text_of_item_max;
}

bool Transcript::State::may_go_out(const ConversationItem& item) const {
  const Response* const response = item.response;
  if (response == nullptr) return true;
  const bool goes_on = !response->ended && response->connection == connection_ends.size();
  return !goes_on && std::all_of(response->items.begin(), response->items.end(),
                                 [](const ConversationItem* one) { return one->slot.has_value(); });
}

bool Transcript::State::put_out(const std::vector<ConversationItem*>& together,
                                Response* response) {
  Encoder<SpillFields> to;
  to.put(response != nullptr);
  if (response != nullptr) to.put(*response);
  to.put_varint(together.size());
  for (const ConversationItem* item : together) {
    to.put(*item);
    const auto sent = audio.find(item->item.id);
    to.put(sent == audio.end() ? std::vector<AudioSent>() : sent->second);
  }
  if (free_bundles.empty()) {
    free_bundles.push_back(static_cast<std::uint32_t>(bundles.size()));
    bundles.emplace_back();
  }
  const auto place = spill_->put(to.out);
  if (!place) return false;

  const std::uint32_t number = free_bundles.back();
  free_bundles.pop_back();
  Spilled& bundle = bundles[number];
  bundle = {*place, 0, static_cast<std::uint32_t>(connection_ends.size())};
  for (const ConversationItem* item : together) {
    const bool is_open = item->status() == TurnStatus::in_progress;
    slots[*item->slot] = {print_of(item->item.id), number,  true,
                          item->is_turn(),         is_open, item->awaits_transcription()};
    lingering.erase(std::find(lingering.begin(), lingering.end(), item));
    audio.erase(item->item.id);
    items.erase(items.find(item->item.id));
  }
  if (response == nullptr) return true;
  const auto at = response_of_id.find(response->id);
  if (at != response_of_id.end() && at->second == response) {
    bundle.response_print = print_of(response->id);
    response_of_id.erase(at);
  }
  responses.remove_if([response](const Response& one) { return &one == response; });
  return true;
}

bool Transcript::State::put_out_usage() {
  Encoder<SpillFields> to;
  to.put(usage);
  spilled_usage.reserve(spilled_usage.size() + 1);
  const auto place = spill_->put(to.out);
  if (!place) return false;
  spilled_usage.push_back(*place);
  usage.clear();
  return true;
}

// ---- Back ----

/// Reads a bundle in its present state: it may have been moved out before its connection ended.
void Transcript::State::read(std::size_t number, Bundle& into) const {
  const Spilled& bundle = bundles[number];
  const std::string bytes = spill_->get(bundle.place);
  Decoder<SpillFields> from(bytes);
  into = {};
  if (!from.get(into.response) || !from.get(into.items) || !from.at_end())
    throw SpillError("the spill returned invalid data");
  for (SpilledItem& spilled : into.items) {
    spilled.item.in_chain = true;
    if (into.response) spilled.item.response = &*into.response;
    if (bundle.connection < connection_ends.size())
      spilled.item.settle(connection_ends[bundle.connection]);
  }
}

const ConversationItem& Transcript::State::SpillReader::at(std::size_t slot) {
  const Slot& wanted = state_.slots[slot];
  if (!wanted.spilled) {
    return **std::find_if(state_.lingering.begin(), state_.lingering.end(),
                          [slot](const ConversationItem* item) { return item->slot == slot; });
  }
  if (number_ != wanted.bundle) {
    state_.read(wanted.bundle, bundle_);
    number_ = wanted.bundle;
  }
  return std::find_if(bundle_.items.begin(), bundle_.items.end(),
                      [slot](const SpilledItem& spilled) { return spilled.item.slot == slot; })
      ->item;
}

const std::vector<Transcript::State::AudioSent>& Transcript::State::SpillReader::audio_of(
    const std::string& item_id) const {
  const auto found = std::find_if(
      bundle_.items.begin(), bundle_.items.end(),
      [&item_id](const SpilledItem& spilled) { return spilled.item.item.id == item_id; });
  VERBATIM_EXPECTS(found != bundle_.items.end());
  return found->audio;
}

/// The item, if it is in the spill. For a new id, scans the slots: some thousand bytes in a row.
const ConversationItem* Transcript::State::spilled(const std::string& id,
                                                   SpillReader& reader) const {
  if (slots.empty()) return nullptr;
  const std::uint32_t print = print_of(id);
  for (std::size_t slot = 0; slot < slots.size(); ++slot) {
    if (slots[slot].print != print || !slots[slot].spilled) continue;
    if (const ConversationItem& item = reader.at(slot); item.item.id == id) return &item;
  }
  return nullptr;
}

ConversationItem* Transcript::State::find(const std::string& id) {
  if (const auto found = items.find(id); found != items.end()) return &found->second;
  if (const auto alias = aliases.find(id); alias != aliases.end()) return find(alias->second);
  SpillReader reader(*this);
  const ConversationItem* const out = spilled(id, reader);
  if (out == nullptr) return nullptr;
  bring_back(slots[*out->slot].bundle);
  return &items.find(id)->second;
}

/// Brings back an answer of this connection; nullptr if it is not in the spill.
Response* Transcript::State::find_spilled_response(const std::string& id) {
  const std::uint32_t print = print_of(id);
  for (std::size_t number = 0; number < bundles.size(); ++number) {
    const Spilled& bundle = bundles[number];
    if (bundle.response_print != print || bundle.connection != connection_ends.size()) continue;
    Bundle read_now;
    read(number, read_now);
    if (read_now.response->id != id) continue;
    bring_back(number);
    return &responses.back();
  }
  return nullptr;
}

void Transcript::State::bring_back(std::size_t number) {
  Bundle bundle;
  read(number, bundle);
  lingering.reserve(lingering.size() + bundle.items.size());
  free_bundles.reserve(free_bundles.size() + 1);
  Response* response = nullptr;
  if (bundle.response) {
    response = &responses.emplace_back(std::move(*bundle.response));
    if (response->connection == connection_ends.size() && bundles[number].response_print != 0)
      response_of_id.try_emplace(response->id, response);
  }
  for (SpilledItem& spilled : bundle.items) {
    const std::string id = spilled.item.item.id;
    if (!spilled.audio.empty()) audio[id] = std::move(spilled.audio);
    ConversationItem& item = items.try_emplace(id, std::move(spilled.item)).first->second;
    item.response = response;
    if (response != nullptr) response->items.push_back(&item);
    slots[*item.slot] = {print_of(id)};
    lingering.push_back(&item);
  }
  bundles[number] = {};
  free_bundles.push_back(static_cast<std::uint32_t>(number));
}

/// A place between or before old items is rare. So the whole chain is linked again and stays in
/// memory from then on.
void Transcript::State::bring_back_all() {
  for (const Slot& slot : slots)
    if (slot.spilled) bring_back(slot.bundle);
  std::sort(lingering.begin(), lingering.end(),
            [](const auto* one, const auto* other) { return *one->slot > *other->slot; });
  for (ConversationItem* item : std::exchange(lingering, {})) {
    item->slot.reset();
    chain.push_front(*item);
  }
  slots.clear();
  items_in_memory = 0;
}

std::vector<std::string> Transcript::State::all_usage() const {
  std::vector<std::string> all;
  for (const Spill::Offset place : spilled_usage) {
    const std::string bytes = spill_->get(place);
    std::vector<std::string> some;
    if (!Decoder<SpillFields>(bytes).get(some)) throw SpillError("the spill returned invalid data");
    std::move(some.begin(), some.end(), std::back_inserter(all));
  }
  all.insert(all.end(), usage.begin(), usage.end());
  return all;
}

}  // namespace verbatim::transcript
