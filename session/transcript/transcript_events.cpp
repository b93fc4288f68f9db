// Applies events to the conversation: the rules of docs/transcript-rules.md, one function per
// event.
#include <algorithm>
#include <cstring>
#include <string_view>
#include <variant>

#include "session/transcript/transcript_state.hpp"

namespace verbatim::transcript {

Transcript::Applied Transcript::State::apply(const Event& event, TimeMs at) {
  if (finished) return {};
  if (is_repeat(event)) return {true, {}};
  // Audio does not set the time: it is not journaled, and a recovery must compute the same times.
  if (!std::holds_alternative<AudioDelta>(event.body)) now = std::max(now, at);
  std::visit([this](const auto& body) { on(body); }, event.body);
  for (const auto& [item, before] : tracked)
    stow(item->item.kind, item->item.detail, item->detail_place);
  Applied applied{false, changed()};
  spill();
  return applied;
}

/// Rule 3. Ids are remembered for one connection only, since a connection's first event may reuse
/// an id of an earlier one. If a server gives different events one id, ids are ignored.
bool Transcript::State::is_repeat(const Event& event) {
  if (std::holds_alternative<AudioDelta>(event.body))
    return ids_are_unique && !seen_audio.insert(event.id);
  if (const auto* opened = std::get_if<UpstreamOpened>(&event.body)) {
    if (seen.contains(event.id) && opened->provider_session_id == provider_session_id) return true;
    seen.clear();
    seen_audio.clear();
    ids_are_unique = true;
  }
  if (!ids_are_unique) return false;
  const RecentIds::Seen before = seen.insert(event.id, content_print(event.body));
  ids_are_unique = before != RecentIds::Seen::with_other_content;
  return before == RecentIds::Seen::same;
}

/// A hash that distinguishes events with the same id: kind, item, and the size and last bytes of
/// its text. Cheap, since every event pays for it.
std::uint32_t Transcript::State::content_print(const EventBody& body) {
  constexpr std::uint64_t factor = 0x9E3779B97F4A7C15U;
  std::uint64_t print = body.index() + 1;
  const auto mix = [&print](std::string_view bytes) {
    std::uint64_t last = 0;
    const std::size_t size = std::min(bytes.size(), sizeof last);
    std::memcpy(&last, bytes.data() + bytes.size() - size, size);
    print = (print ^ last ^ bytes.size() << 56) * factor;
  };
  std::visit(
      [&](const auto& event) {
        if constexpr (requires { event.item_id; }) mix(event.item_id);
        if constexpr (requires { event.response_id; }) mix(event.response_id);
        if constexpr (requires { event.item.id; }) mix(event.item.id);
        if constexpr (requires { event.text; }) mix(event.text.wtf8());
      },
      body);
  return static_cast<std::uint32_t>(print >> 32 ^ print);
}

// ---- The upstream connection ----

/// Everything open on it has ended. Items without a place get one, since no event will give it.
void Transcript::State::end_connection() {
  settle_all();
  while (loose.first() != nullptr) anchor(*loose.first());
  response_of_id.clear();
  running.clear();
  stray_audio.clear();
}

void Transcript::State::on(const UpstreamLost& event) {
  end_connection();
  note({"upstream_lost", now, event.why});
}

void Transcript::State::on(const SettingsChanged& event) {
  language = transcription_language(event.json);
  if (std::exchange(settings_seen, true)) note({"settings_changed", now, {}});
}

void Transcript::State::note(const Incident& one) {
  if (incidents++ < incidents_max) usage.push_back(incident(one));
}

void Transcript::State::on(const UpstreamOpened& event) {
  end_connection();
  if (!provider_session_id.empty()) note({"upstream_opened", now, {}});
  transcriptions_billed.clear();
  provider_session_id = event.provider_session_id;
  output_bytes_per_ms = std::max(1, event.output_bytes_per_ms);
}

void Transcript::State::on(const SessionConfigured& event) {
  output_bytes_per_ms = std::max(1, event.output_bytes_per_ms);
}

// ---- Items ----

void Transcript::State::on(const ItemPlaced& event) {
  std::optional<Pending> request;
  if (!event.committed) request = acknowledge(event.item);
  const ItemRequested* const asked = request ? &request->asked : nullptr;
  const std::string& id = event.item.id;
  ConversationItem* found = nullptr;
  if (asked == nullptr && !event.committed) {
    found = reported_before(event.item, true);
  } else if (!id.empty()) {
    found = find_tracked(id);
  }
  if (found != nullptr &&
      (event.committed ? found->committed && found->is_transcribed() : found->deleted)) {
    retire(*found);
    found = nullptr;
  }
  if (found == nullptr && asked == nullptr && !event.committed) {
    found = announced_under_other_id(event.item);
    if (found != nullptr) remember_alias(id, *found);
  }
  if (found == nullptr) found = id.empty() ? &own_item(event.item.role) : &find_or_create(id);
  ConversationItem& item = *found;
  if (event.committed && !item.settled) {
    item.spoken = true;
    item.committed = true;
    item.described = true;
    item.discarded = false;
  }
  item.requested = false;
  learn(item, event.item);
  if (asked != nullptr) {
    item.repeat_missing(asked->item, now);  // some servers acknowledge without the text
    if (asked->item.id != item.item.id) remember_alias(asked->item.id, item);
    take_detail(item, *request);
  }
  if (item.placed) return;  // never moved (rule 4), never doubled by a rebuild
  place(item, event, asked);
  const bool being_answered =
      item.response != nullptr || item.item.status == ItemStatus::in_progress;
  if (!being_answered) item.touch_times(now);
}

void Transcript::State::on(const ItemSnapshot& event) {
  ConversationItem* found = nullptr;
  if (!event.retrieved) {
    found = reported_before(event.item, false);
  } else if (!event.item.id.empty()) {
    found = find_tracked(event.item.id);
  }
  if (found == nullptr && !event.retrieved) found = output_under_other_id(event.item);
  if (found == nullptr && !event.retrieved && event.item.kind == ItemKind::message) {
    // For an answer whose events have different ids or none, its text identifies it.
    const std::string& guess =
        event.item.id.empty() && chain.last() != nullptr ? chain.last()->item.id : scattered;
    ConversationItem* const other = guess.empty() ? nullptr : find_tracked(guess);
    const bool is_guess_from_words = other != nullptr && !event.item.id.empty();
    const bool same =
        other != nullptr && other->item.role == event.item.role &&
        (!is_guess_from_words || !event.item.parts.empty()) &&
        std::all_of(event.item.parts.begin(), event.item.parts.end(), [other](const Part& part) {
          return other->says(part.content_index, part.text);
        });
    if (same) {
      found = other;
      if (!event.item.id.empty()) remember_alias(event.item.id, *found);
    }
  }
  if (found == nullptr) {
    // some servers never place items that they accepted
    if (!event.retrieved) acknowledge(event.item);
    found = event.item.id.empty() ? &own_item(event.item.role) : &find_or_create(event.item.id);
  }
  learn(*found, event.item);
}

void Transcript::State::on(const OutputItem& event) {
  ConversationItem* const item =
      output_item({event.item.id, event.response_id, event.output_index}, event.item, event.done);
  learn(*item, event.item);
  if (event.done && item->started_at) item->touch_times(now);
}

void Transcript::State::on(const ItemTruncated& event) {
  if (ConversationItem* item = find_tracked(event.item_id)) {
    const auto sent = event.audio_sent_ms >= 0 ? event.audio_sent_ms
                                               : audio_sent_ms(event.item_id, event.content_index);
    item->truncate(event.content_index, event.audio_end_ms, sent);
    item->sent_audio_ms = std::clamp(sent, item->sent_audio_ms, usage_max);
  }
}

void Transcript::State::on(const ItemDeleted& event) {
  if (ConversationItem* item = find_tracked(event.item_id)) item->deleted = true;
}

// ---- Text ----

void Transcript::State::on(const TextDelta& event) {
  ConversationItem& item =
      event.transcription ? user_item(event.item_id)
                          : assistant_item({event.item_id, event.response_id, event.output_index},
                                           event.content_index, nullptr);
  item.append(event.content_index, event.text, now);
}

void Transcript::State::on(const TextDone& event) {
  ConversationItem& item =
      event.transcription ? user_item(event.item_id)
                          : assistant_item({event.item_id, event.response_id, event.output_index},
                                           event.content_index, &event.text);
  item.finish_part(event.content_index, event.text, now);
}

void Transcript::State::on(const PartSnapshot& event) {
  ConversationItem& item = assistant_item({event.item_id, event.response_id, event.output_index},
                                          event.content_index, &event.text);
  item.repeat_part(Part{event.content_index, event.text, false}, true, now);
}

void Transcript::State::on(const TranscriptionFailed& event) {
  user_item(event.item_id).transcription_failed(event.reason);
}

/// Records that text may be missing at this place.
void Transcript::State::on(const TextUnplaced&) {
  constexpr std::size_t places_max = 64;
  const std::string behind = chain.last() != nullptr ? chain.last()->item.id : std::string();
  if (lost_texts.empty() || (lost_texts.back().behind != behind && lost_texts.size() < places_max))
    lost_texts.push_back({behind, 0});
  ++lost_texts.back().count;
}

void Transcript::State::on(const AudioDelta& event) {
  const std::string* id = &event.item_id;
  const AudioSent sent{event.content_index, event.bytes * 1000 / output_bytes_per_ms};
  if (!audio.contains(*id)) {
    const ConversationItem* item = find(*id);  // its sum may be in the spill
    const bool may_be_anothers = id->empty() || event.output_index != no_output_index;
    if (item == nullptr && may_be_anothers) {
      item = of_response(event.response_id, event.output_index);
      if (item == nullptr) return keep_stray_audio(event, sent.us);
    }
    if (item != nullptr) id = &item->item.id;
  }
  count_audio(*id, sent);
}

void Transcript::State::count_audio(const std::string& item_id, const AudioSent& sent) {
  auto& parts = audio[item_id];
  auto part = std::find_if(parts.begin(), parts.end(), [&sent](const AudioSent& one) {
    return one.content_index == sent.content_index;
  });
  if (part == parts.end()) part = parts.insert(parts.end(), {sent.content_index, 0});
  part->us += sent.us;
  auto& unrecorded = audio_unrecorded;
  if (std::find(unrecorded.begin(), unrecorded.end(), item_id) == unrecorded.end())
    unrecorded.push_back(item_id);
}

/// Audio creates no item, since recovery does not see it. Keep it until its text comes.
void Transcript::State::keep_stray_audio(const AudioDelta& event, std::int64_t us) {
  constexpr std::size_t kept_max = 64;
  const bool of_the_one = event.response_id.empty() && running.size() == 1;
  const std::string& response_id = of_the_one ? running.front()->id : event.response_id;
  const auto known =
      std::find_if(stray_audio.begin(), stray_audio.end(), [&](const StrayAudio& one) {
        return one.response_id == response_id && one.output_index == event.output_index &&
               one.sent.content_index == event.content_index;
      });
  if (known != stray_audio.end()) {
    known->sent.us += us;
  } else if (stray_audio.size() < kept_max) {
    stray_audio.push_back(
        {event.item_id, response_id, event.output_index, {event.content_index, us}});
  }
}

void Transcript::State::take_stray_audio(const ConversationItem& item) {
  std::erase_if(stray_audio, [&](const StrayAudio& one) {
    const bool same_place = one.output_index == item.output_index ||
                            one.output_index == no_output_index ||
                            item.output_index == no_output_index;
    const std::string& response_id = item.response != nullptr ? item.response->id : std::string();
    const bool is_its =
        one.item_id == item.item.id || (one.response_id == response_id && same_place);
    if (is_its) count_audio(item.item.id, one.sent);
    return is_its;
  });
}

std::int64_t Transcript::State::audio_sent_ms(const std::string& item_id, int content_index) const {
  const auto of_part = [content_index](const std::vector<AudioSent>& parts) -> std::int64_t {
    for (const AudioSent& sent : parts)
      if (sent.content_index == content_index) return sent.us / 1000;
    return 0;
  };
  if (finished) return 0;
  std::int64_t counted = 0;
  SpillReader reader(*this);
  if (const auto found = audio.find(item_id); found != audio.end()) {
    counted = of_part(found->second);
  } else if (spilled(item_id, reader) != nullptr) {
    counted = of_part(reader.audio_of(item_id));
  }
  if (counted > 0) return counted;
  // An earlier process may have counted it. The journal has the sum of the item; for an item with
  // one part, that is the part's.
  return look_at(item_id, [](const ConversationItem* item) -> std::int64_t {
    return item != nullptr && item->item.parts.size() == 1 ? item->sent_audio_ms : 0;
  });
}

std::vector<AnswerAudio> Transcript::State::unrecorded_audio() const {
  std::vector<AnswerAudio> all;
  SpillReader reader(*this);
  for (const std::string& id : audio_unrecorded) {
    const auto found = audio.find(id);
    if (found == audio.end() && spilled(id, reader) == nullptr) continue;
    std::int64_t us = 0;
    for (const AudioSent& part : found != audio.end() ? found->second : reader.audio_of(id))
      us += part.us;
    all.push_back({id, us / 1000});
  }
  return all;
}

// ---- Speech ----

void Transcript::State::on(const SpeechStarted& event) {
  talk_over({});
  if (event.item_id.empty()) return;
  // Some servers use one id for all utterances; others send the beginning of one several times.
  ConversationItem* const last = find_tracked(event.item_id);
  if (last != nullptr && last->is_transcribed() &&
      (last->committed || last->slot || last->link.behind != nullptr))
    retire(*last);
  ConversationItem& item = user_item(event.item_id);
  if (!item.started_at) item.started_at = now;
}

void Transcript::State::on(const SpeechStopped& event) {
  if (!event.item_id.empty()) user_item(event.item_id).ended_at = now;
}

void Transcript::State::on(const BufferCleared&) {
  for (ConversationItem* at = loose.first(); at != nullptr; at = at->link.behind)
    if (at->spoken) at->discarded = true;
}

// ---- Responses ----

void Transcript::State::on(const ResponseStarted& event) {
  Response* const known_one = find_response(event.response_id);
  // some servers use one id for all answers
  const bool is_new = known_one == nullptr || known_one->ended;
  Response& started = is_new ? begin_response(event.response_id) : *known_one;
  for (ConversationItem* item : started.items) track(*item);
  started.out_of_band = event.out_of_band;
}

void Transcript::State::on(const ResponseEnded& event) {
  Response& ended = response(event.response_id);
  int output_index = 0;
  for (const Item& output : event.output) {
    const int index = output_index++;
    const bool empty = output.id.empty() && output.parts.empty() && !is_call(output);
    if (!empty) learn(*output_item({output.id, event.response_id, index}, output, true), output);
  }
  for (ConversationItem* item : ended.items) {
    track(*item);
    if (item->started_at) item->touch_times(now);
  }
  if (ended.items.empty()) bare = &ended;
  if (ended.ended) return;
  ended.ended = true;
  ended.out_of_band = ended.out_of_band || event.out_of_band;
  ended.status = event.status;
  ended.reason = event.reason;
  ++response_counts.by_status[static_cast<std::size_t>(event.status)];
  response_counts.reason_by_status[static_cast<std::size_t>(event.status)] = event.reason;
  if (!event.reason.empty()) response_counts.last_reason = event.reason;
  if (!event.usage.empty()) {
    if (!event.response_id.empty()) usage.push_back(usage_owner(event.response_id));
    usage.push_back(event.usage);
    used += read_usage(event.usage);
  }
  running.erase(std::remove(running.begin(), running.end(), &ended), running.end());
  // A provider that never places its items (compatible servers, old dialects) sends nothing more
  // for them.
  for (ConversationItem* item : ended.items)
    if (!ended.out_of_band) anchor_answer(*item);
}

void Transcript::State::on(const CancelRequested& event) { talk_over(event.response_id); }

/// An empty id means every running response.
void Transcript::State::talk_over(const std::string& response_id) {
  for (Response* candidate : running)
    if (response_id.empty() || candidate->id == response_id) candidate->talked_over = true;
}

void Transcript::State::on(const AnswerAudio& event) {
  std::erase(audio_unrecorded, event.item_id);
  if (ConversationItem* item = find_tracked(event.item_id))
    item->sent_audio_ms = std::clamp(event.ms, item->sent_audio_ms, usage_max);
}

// ---- Usage ----

void Transcript::State::on(const FirstAudio& event) {
  usage.push_back(first_audio(event.response_id, event.ms));
}

/// A total, so a repeated event changes nothing.
void Transcript::State::on(const AudioMetered& event) {
  used.input_audio_ms = std::clamp(event.input_ms, used.input_audio_ms, usage_max);
  used.output_audio_ms = std::clamp(event.output_ms, used.output_audio_ms, usage_max);
}

/// A provider that repeats the text under another event_id does not bill it again.
void Transcript::State::on(const TranscriptionUsage& event) {
  const std::string part = event.item_id + '#' + std::to_string(event.content_index);
  if (!transcriptions_billed.insert(part)) return;
  usage.push_back(event.usage);
  used += read_usage(event.usage);
}

// ---- Client requests ----

void Transcript::State::on(const ItemRequested& event) {
  const Item& item = event.item;
  if (!item.id.empty())
    if (const ConversationItem* const ours = find(item.id); ours != nullptr && !ours->deleted)
      return;  // rebuilt, or about to be refused
  const ConversationItem* const last = loose.last() != nullptr ? loose.last() : chain.last();
  Pending& request =
      pending.emplace_back(Pending{event, now, last != nullptr ? last->item.id : std::string()});
  std::string& detail = request.asked.item.detail;
  if (item.kind == ItemKind::message) {
    request.detail_print = print_of_detail(detail);
    stow(item.kind, detail, request.detail_place);
  }
  pending_bytes += size_of(request.asked);
  bound_pending();
}

void Transcript::State::on(const ProviderError& event) {
  note({"provider_error", now, event.code.empty() ? event.type : event.code});
  if (event.client_event_id.empty()) return;
  const auto refused = std::find_if(pending.begin(), pending.end(), [&event](const Pending& one) {
    return one.asked.client_event_id == event.client_event_id;
  });
  if (refused == pending.end()) return;
  pending_bytes -= size_of(refused->asked);
  pending.erase(refused);
}

}  // namespace verbatim::transcript
