// What each event does to the conversation: the rules of docs/transcript-rules.md, one function an
// event.
#include <algorithm>
#include <variant>

#include "session/transcript_state.hpp"

namespace verbatim::session {

Transcript::Applied Transcript::State::apply(const Event& event, TimeMs at) {
  if (finished) return {};
  if (is_repeat(event)) return {true, {}};
  now = at;
  std::visit([this](const auto& body) { on(body); }, event.body);
  Applied applied{false, touched()};
  spill();
  return applied;
}

/// Rule 3. A connection's first event may carry an id that an earlier connection used: ids are
/// remembered for one connection only.
bool Transcript::State::is_repeat(const Event& event) {
  if (std::holds_alternative<AudioDelta>(event.body)) return !seen_audio.insert(event.id);
  if (const auto* opened = std::get_if<UpstreamOpened>(&event.body)) {
    if (seen.contains(event.id) && opened->provider_session_id == provider_session_id) return true;
    seen.clear();
    seen_audio.clear();
  }
  return !seen.insert(event.id);
}

// ---- the connection ------------------------------------------------------------------------

/// What was open on it has ended, and nobody will tell the place of what has none.
void Transcript::State::end_connection() {
  settle_all();
  while (loose.first() != nullptr) anchor(*loose.first());
  response_of_id.clear();
  running.clear();
}

void Transcript::State::on(const UpstreamLost&) { end_connection(); }

void Transcript::State::on(const UpstreamOpened& event) {
  end_connection();
  transcriptions_billed.clear();
  provider_session_id = event.provider_session_id;
  output_bytes_per_ms = std::max(1, event.output_bytes_per_ms);
}

void Transcript::State::on(const SessionConfigured& event) {
  output_bytes_per_ms = std::max(1, event.output_bytes_per_ms);
}

// ---- items ---------------------------------------------------------------------------------

void Transcript::State::on(const ItemPlaced& event) {
  if (!event.committed) acknowledge(event.item);
  ConversationItem& item = named(event.item.id);
  if (event.committed && !item.settled) {
    item.spoken = true;
    item.described = true;
    item.discarded = false;
  }
  item.learn(event.item, now);
  if (item.placed) return;  // never moved (rule 4), never doubled by a rebuild
  place(item, event.place, event.previous);
  const bool being_answered =
      item.response != nullptr || item.item.status == ItemStatus::in_progress;
  if (!being_answered) item.touch_times(now);
}

void Transcript::State::on(const ItemSnapshot& event) {
  named(event.item.id).learn(event.item, now);
}

void Transcript::State::on(const OutputItem& event) {
  ConversationItem& item = named(event.item.id);
  join(item, event.response_id);
  item.learn(event.item, now);
  if (event.done && item.started_at) item.touch_times(now);
}

void Transcript::State::on(const ItemTruncated& event) {
  if (ConversationItem* item = known(event.item_id)) {
    const auto sent = event.audio_sent_ms >= 0 ? event.audio_sent_ms
                                               : audio_sent_ms(event.item_id, event.content_index);
    item->truncate(event.content_index, event.audio_end_ms, sent);
  }
}

void Transcript::State::on(const ItemDeleted& event) {
  if (ConversationItem* item = known(event.item_id)) item->deleted = true;
}

// ---- text ----------------------------------------------------------------------------------

void Transcript::State::on(const TextDelta& event) {
  ConversationItem* item =
      event.transcription ? speech(event.item_id) : answer(event.item_id, event.response_id);
  if (item != nullptr) item->append(event.content_index, event.text, now);
}

void Transcript::State::on(const TextDone& event) {
  ConversationItem* item =
      event.transcription ? speech(event.item_id) : answer(event.item_id, event.response_id);
  if (item != nullptr) item->finish_part(event.content_index, event.text, now);
}

void Transcript::State::on(const PartSnapshot& event) {
  if (ConversationItem* item = answer(event.item_id, event.response_id))
    item->repeat_part(Part{event.content_index, event.text, false}, true, now);
}

void Transcript::State::on(const TranscriptionFailed& event) {
  if (ConversationItem* item = speech(event.item_id)) item->transcription_failed(event.reason);
}

void Transcript::State::on(const AudioDelta& event) {
  if (!audio.contains(event.item_id)) find(event.item_id);  // its sum may be in the spill
  auto& parts = audio[event.item_id];
  auto part = std::find_if(parts.begin(), parts.end(), [&event](const AudioSent& sent) {
    return sent.content_index == event.content_index;
  });
  if (part == parts.end()) part = parts.insert(parts.end(), {event.content_index, 0});
  part->us += event.bytes * 1000 / output_bytes_per_ms;
}

std::int64_t Transcript::State::audio_sent_ms(const std::string& item_id, int content_index) const {
  const auto of_part = [content_index](const std::vector<AudioSent>& parts) -> std::int64_t {
    for (const AudioSent& sent : parts)
      if (sent.content_index == content_index) return sent.us / 1000;
    return 0;
  };
  if (const auto found = audio.find(item_id); found != audio.end()) return of_part(found->second);
  SpillReader reader(*this);
  if (finished || spilled(item_id, reader) == nullptr) return 0;
  return of_part(reader.audio_of(item_id));
}

// ---- tools ---------------------------------------------------------------------------------

void Transcript::State::on(const ToolArguments& event) {
  ConversationItem& item = named(event.item_id);
  item.add_arguments(event, now);
  if (item.tool) join(item, event.response_id);
}

void Transcript::State::on(const ToolProgress& event) {
  named(event.item_id).tool_went_on(event.status, now);
}

// ---- speech --------------------------------------------------------------------------------

void Transcript::State::on(const SpeechStarted& event) {
  talk_over({});
  ConversationItem* item = speech(event.item_id);
  if (item != nullptr && !item->started_at) item->started_at = now;
}

void Transcript::State::on(const SpeechStopped& event) {
  if (ConversationItem* item = speech(event.item_id)) item->ended_at = now;
}

void Transcript::State::on(const BufferCleared&) {
  for (ConversationItem* at = loose.first(); at != nullptr; at = at->link.behind)
    if (at->spoken) at->discarded = true;
}

// ---- responses -----------------------------------------------------------------------------

void Transcript::State::on(const ResponseStarted& event) {
  Response& started = response(event.response_id);
  for (ConversationItem* item : started.items) watch(*item);
  started.out_of_band = event.out_of_band;
}

void Transcript::State::on(const ResponseEnded& event) {
  Response& ended = response(event.response_id);
  for (const Item& output : event.output) {
    if (output.id.empty()) continue;
    ConversationItem& item = named(output.id);
    join(item, event.response_id);
    item.learn(output, now);
  }
  for (ConversationItem* item : ended.items) {
    watch(*item);
    if (item->started_at) item->touch_times(now);
  }
  if (ended.items.empty()) bare = &ended;
  if (ended.ended) return;
  ended.ended = true;
  ended.out_of_band = ended.out_of_band || event.out_of_band;
  ended.status = event.status;
  ended.reason = event.reason;
  if (!event.usage.empty()) {
    usage.push_back(event.usage);
    used += read_usage(event.usage);
  }
  running.erase(std::remove(running.begin(), running.end(), &ended), running.end());
  // A provider that never places its items (look-alikes, old dialects) has said all it will say.
  for (ConversationItem* item : ended.items)
    if (!ended.out_of_band) anchor(*item);
}

void Transcript::State::on(const CancelRequested& event) { talk_over(event.response_id); }

/// An empty id means whichever runs.
void Transcript::State::talk_over(const std::string& response_id) {
  for (Response* candidate : running)
    if (response_id.empty() || candidate->id == response_id) candidate->talked_over = true;
}

void Transcript::State::on(const AnswerAudio& event) {
  if (ConversationItem* item = known(event.item_id))
    item->sent_audio_ms = std::max(item->sent_audio_ms, event.ms);
}

// ---- what it costs -------------------------------------------------------------------------

/// A sum, so that telling it again changes nothing.
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

// ---- a client's wishes ---------------------------------------------------------------------

void Transcript::State::on(const ItemRequested& event) {
  const Item& item = event.item;
  if (!item.id.empty() && find(item.id) != nullptr) return;  // rebuilt, or about to be refused
  pending.push_back({event.client_event_id, item.id, item.kind, item.role});
}

void Transcript::State::on(const ProviderError& event) {
  if (event.client_event_id.empty()) return;
  const auto refused = std::find_if(pending.begin(), pending.end(), [&event](const Pending& item) {
    return item.client_event_id == event.client_event_id;
  });
  if (refused != pending.end()) pending.erase(refused);
}

/// A placed item answers the request that named it; one that nobody has named answers the first
/// request for its like.
void Transcript::State::acknowledge(const Item& placed) {
  const bool server_made = find(placed.id) != nullptr;
  const auto answered = std::find_if(pending.begin(), pending.end(), [&](const Pending& item) {
    if (!item.item_id.empty()) return item.item_id == placed.id;
    return !server_made && item.kind == placed.kind && item.role == placed.role;
  });
  if (answered != pending.end()) pending.erase(answered);
}

}  // namespace verbatim::session
