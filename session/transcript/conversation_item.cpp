#include "session/transcript/conversation_item.hpp"

#include <algorithm>
#include <functional>
#include <string_view>
#include <utility>

#include "session/transcript/heard.hpp"

namespace verbatim::transcript {

std::uint64_t print_of_detail(std::string_view detail) {
  if (detail.empty()) return 0;
  return std::max<std::uint64_t>(1, std::hash<std::string_view>{}(detail));
}

// ---- Text ----

/// Index of the part with this content_index; adds the part if it is new.
std::size_t ConversationItem::part_index(int content_index) {
  const auto at =
      std::lower_bound(item.parts.begin(), item.parts.end(), content_index,
                       [](const Part& part, int wanted) { return part.content_index < wanted; });
  const auto index = at - item.parts.begin();
  if (at == item.parts.end() || at->content_index != content_index) {
    item.parts.insert(at, Part{content_index, {}, false});
    part_ends_.insert(part_ends_.begin() + index, PartEnd::open);
    ++open_parts_;
  }
  return static_cast<std::size_t>(index);
}

void ConversationItem::set_text(std::size_t part, const Text& text) {
  Text& ours = item.parts[part].text;
  if (text.empty() || ours == text) return;  // an empty text never erases (rule 2)
  text_bytes_ += text.size_bytes() - ours.size_bytes();
  ours = text;
  ++text_version_;
}

/// Some providers send an answer in finished sentences, each as the whole of the same part. A text
/// that repeats or continues the present one replaces it; any other is appended.
void ConversationItem::add_sentence(std::size_t part, const Text& text) {
  const Text& ours = item.parts[part].text;
  if (text.empty() || ours == text) return;
  if (text.wtf8().starts_with(ours.wtf8())) return set_text(part, text);
  Text joined = ours;
  joined.append(Text::from_wtf8(" "));
  joined.append(text);
  set_text(part, joined);
}

/// The spoken part that a transcription refers to. An utterance has one, but some providers number
/// its deltas instead.
int ConversationItem::speech_index(int given) const {
  const Part* first = nullptr;
  for (const Part& part : item.parts) {
    if (!part.spoken_input) continue;
    if (part.content_index == given) return given;
    if (first == nullptr) first = &part;
  }
  return first == nullptr ? 0 : first->content_index;
}

void ConversationItem::end_part(std::size_t part, PartEnd end) {
  if (part_ends_[part] == PartEnd::open) --open_parts_;
  part_ends_[part] = end;
}

void ConversationItem::append(int content_index, const Text& text, TimeMs now) {
  if (spoken) content_index = speech_index(content_index);
  const std::size_t part = part_index(content_index);
  if (part_ends_[part] != PartEnd::open || text.empty()) return;
  Text& ours = item.parts[part].text;
  text_bytes_ -= ours.size_bytes();
  ours.append(text);
  text_bytes_ += ours.size_bytes();
  ++text_version_;
  last_text_at_ = now;
  if (!started_at) started_at = now;
}

void ConversationItem::finish_part(int content_index, const Text& text, TimeMs now) {
  const std::size_t part = part_index(spoken ? speech_index(content_index) : content_index);
  const PartEnd before = part_ends_[part];
  const bool alone =
      before == PartEnd::said || (before == PartEnd::open && item.parts[part].text.empty());
  if (before == PartEnd::said && !spoken) {
    add_sentence(part, text);
  } else {
    set_text(part, text);
  }
  const bool repeated = before == PartEnd::done || before == PartEnd::said;
  end_part(part, alone ? PartEnd::said : PartEnd::done);
  if (spoken) {
    transcription_ = Transcription::completed;
    return touch_times(now);  // speech has its times from speech_started and speech_stopped
  }
  if (!started_at) started_at = now;
  if (!repeated) ended_at = now;
}

void ConversationItem::repeat_part(const Part& given, bool final, TimeMs now) {
  // After the connection has ended, the text no longer changes: a rebuilt item may number its parts
  // differently.
  if (settled && text_bytes_ > 0) return;
  const std::size_t part = part_index(given.content_index);
  if (given.spoken_input) item.parts[part].spoken_input = true;
  const bool is_done = part_ends_[part] == PartEnd::done || part_ends_[part] == PartEnd::said;
  if (is_done || given.text.empty()) return;

  const Text& ours = item.parts[part].text;
  // A transcription has its own final event; before it, a snapshot may be older than the deltas.
  if (given.spoken_input && !ours.empty()) return;
  const bool ours_has_all = ours.wtf8().starts_with(given.text.wtf8());  // nothing shrinks
  if (!ours_has_all && (final || ours.empty())) {
    set_text(part, given.text);
    last_text_at_ = now;
  }
  if (!final) return;
  end_part(part, PartEnd::repeated);
  if (given.spoken_input) transcription_ = Transcription::completed;
}

void ConversationItem::learn(const Item& from, TimeMs now) {
  const bool final = from.status != ItemStatus::in_progress;
  if (!settled) {
    if (!described && text_bytes_ == 0) item.kind = from.kind;
    described = true;
    if (item.role == Role::unknown) item.role = from.role;
    if (item.status == ItemStatus::none || item.status == ItemStatus::in_progress) {
      if (from.status != ItemStatus::none) item.status = from.status;
    }
    if (item.kind != ItemKind::message) {
      learn_tool(from, now);
    } else if (from.kind == ItemKind::message && !from.detail.empty() && !detail_of_client) {
      set_detail(from.detail, false);
    }
  }
  for (const Part& part : from.parts) {
    if (part.spoken_input && item.role == Role::user && !settled) spoken = true;
    repeat_part(part, final, now);
  }
}

void ConversationItem::repeat_missing(const Item& asked, TimeMs now) {
  if (text_bytes_ > 0 || spoken || settled) return;
  for (const Part& part : asked.parts) repeat_part(part, true, now);
}

bool ConversationItem::has_ended(int content_index) const {
  for (std::size_t part = 0; part < item.parts.size(); ++part)
    if (item.parts[part].content_index == content_index) return part_ends_[part] != PartEnd::open;
  return false;
}

bool ConversationItem::says(int content_index, const Text& text) const {
  return std::any_of(item.parts.begin(), item.parts.end(), [&](const Part& part) {
    return part.content_index == content_index && part.text == text;
  });
}

bool ConversationItem::says_all(const std::vector<Part>& parts) const {
  return std::all_of(parts.begin(), parts.end(),
                     [this](const Part& part) { return says(part.content_index, part.text); });
}

bool ConversationItem::is_begun_by(int content_index, const Text& whole) const {
  return std::any_of(item.parts.begin(), item.parts.end(), [&](const Part& part) {
    return part.content_index == content_index && !part.text.empty() &&
           whole.wtf8().starts_with(part.text.wtf8());
  });
}

void ConversationItem::set_detail(std::string detail, bool of_client) {
  detail_print = print_of_detail(detail);
  detail_place.reset();
  detail_of_client = of_client;
  item.detail = std::move(detail);
}

// ---- Other events ----

void ConversationItem::transcription_failed(const std::string& reason) {
  if (transcription_ == Transcription::completed) return;
  transcription_ = Transcription::failed;
  failure_ = reason;
}

void ConversationItem::truncate(int content_index, std::int64_t audio_ms, std::int64_t sent_ms) {
  if (item.role != Role::user) truncation_ = Truncation{content_index, audio_ms, sent_ms};
}

void ConversationItem::touch_times(TimeMs now) {
  if (!started_at) started_at = now;
  if (!ended_at) ended_at = now;
}

void ConversationItem::settle(TimeMs now) {
  settled = true;
  if (status_from_events() == TurnStatus::in_progress && !settled_as_) {
    settled_as_ = status_at_end();
  }
  if (is_turn()) touch_times(last_text_at_.value_or(now));
}

// ---- Derived values ----

bool ConversationItem::is_turn() const {
  if (item.kind != ItemKind::message) return false;
  const bool out_of_band = response != nullptr && response->out_of_band;
  return placed || (text_bytes_ > 0 && !out_of_band);
}

TurnStatus ConversationItem::status() const {
  const TurnStatus given = status_from_events();
  return given == TurnStatus::in_progress ? settled_as_.value_or(given) : given;
}

TurnStatus ConversationItem::status_from_events() const {
  if (truncation_) return TurnStatus::truncated;
  if (requested) return TurnStatus::in_progress;
  if (spoken) {
    switch (transcription_) {
      case Transcription::pending:
        return TurnStatus::in_progress;
      case Transcription::completed:
        return TurnStatus::completed;
      case Transcription::failed:
        return TurnStatus::failed;
    }
  }
  return is_answer() ? answer_status() : TurnStatus::completed;  // typed: complete at once
}

/// Rule 7 without its first and last parts.
TurnStatus ConversationItem::answer_status() const {
  if (item.status == ItemStatus::completed) return TurnStatus::completed;
  if (response == nullptr || !response->ended) return TurnStatus::in_progress;
  switch (response->status) {
    case ResponseStatus::cancelled:
      return TurnStatus::cancelled;
    case ResponseStatus::failed:
      return TurnStatus::failed;
    case ResponseStatus::incomplete:
      return TurnStatus::interrupted;
    case ResponseStatus::completed:
    case ResponseStatus::other:
      break;
  }
  return TurnStatus::in_progress;
}

/// The last part of rules 7 and 8: the stream has ended without a final status for this turn.
TurnStatus ConversationItem::status_at_end() const {
  if (spoken || requested) return TurnStatus::interrupted;
  const bool all_done = !item.parts.empty() && open_parts_ == 0;
  if (!all_done) return TurnStatus::interrupted;
  if (response != nullptr && response->talked_over) return TurnStatus::cancelled;
  // All parts have ended, but the provider marked the item incomplete, so there was more to come.
  return item.status == ItemStatus::incomplete ? TurnStatus::interrupted : TurnStatus::completed;
}

bool ConversationItem::cut_off() const {
  return is_turn() && settled_as_ == TurnStatus::interrupted &&
         status_from_events() == TurnStatus::in_progress;
}

std::optional<GapKind> ConversationItem::gap() const {
  if (requested) return GapKind::unacknowledged_item;
  if (!spoken) return std::nullopt;
  if (placed) {
    const bool never_came = settled && transcription_ == Transcription::pending;
    if (never_came || transcription_ == Transcription::failed) return GapKind::failed_transcription;
    return std::nullopt;
  }
  if (settled && text_bytes_ == 0 && !discarded) return GapKind::uncommitted_speech;
  return std::nullopt;
}

bool ConversationItem::awaits_transcription() const {
  return spoken && placed && status() == TurnStatus::in_progress;
}

std::string ConversationItem::reason() const {
  switch (status_from_events()) {
    case TurnStatus::failed:
      if (spoken) return failure_;
      [[fallthrough]];
    case TurnStatus::cancelled:
    case TurnStatus::interrupted:
      return response != nullptr ? response->reason : std::string();
    default:
      return {};
  }
}

Text ConversationItem::text() const {
  Text joined;
  for (const Part& part : item.parts) append_part(joined, part.text);
  return joined;
}

std::optional<Text> ConversationItem::heard_text() const {
  return estimate_heard(item.parts, truncation_->content_index, truncation_->audio_ms,
                        truncation_->sent_ms);
}

Turn ConversationItem::turn() const {
  Turn turn;
  turn.item_id = item.id;
  turn.role = item.role;
  turn.status = status();
  turn.text = text();
  if (truncation_) turn.heard = Heard{truncation_->audio_ms, heard_text()};
  turn.reason = reason();
  turn.deleted = deleted;
  if (response != nullptr) turn.response_id = response->id;
  turn.started_at = started_at;
  turn.ended_at = ended_at;
  // An end may come without a beginning; the beginning is then known only to be no later.
  if (started_at && ended_at) turn.started_at = std::min(*started_at, *ended_at);
  turn.audio_ms = sent_audio_ms;
  return turn;
}

ConversationItem::Fingerprint ConversationItem::fingerprint() const {
  if (!is_turn()) return {};
  const std::int64_t heard_ms = truncation_ ? truncation_->audio_ms : -1;
  return {true, item.role, status(), text_version_, heard_ms, deleted};
}

}  // namespace verbatim::transcript
