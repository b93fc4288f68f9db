#include "server/traces/turn_spans.hpp"

#include <algorithm>
#include <utility>
#include <variant>

#include "base/json/view.hpp"
#include "server/traces/usage_attributes.hpp"

namespace verbatim::traces {

namespace {

constexpr std::size_t open_max = 16;
constexpr std::size_t item_ids_max = 8;

std::int64_t ms_between(Moment from, Moment to) {
  return std::max<std::int64_t>(to.mono_ms - from.mono_ms, 0);
}

/// The word for an answer's end. A talked-over answer is cancelled by the provider itself.
std::string_view end_reason_of(const transcript::ResponseEnded& ended) {
  switch (ended.status) {
    case transcript::ResponseStatus::completed:
      return "completed";
    case transcript::ResponseStatus::cancelled:
      return ended.reason == "turn_detected" ? "interrupted" : "cancelled";
    case transcript::ResponseStatus::incomplete:
      return "incomplete";
    case transcript::ResponseStatus::failed:
      return "failed";
    case transcript::ResponseStatus::other:
      break;
  }
  return "other";
}

}  // namespace

void TurnSpans::recorded(const transcript::Event& event, Moment now) {
  // The relay's measurements follow the end of an answer.
  const bool measured = std::holds_alternative<transcript::FirstAudio>(event.body) ||
                        std::holds_alternative<transcript::AnswerAudio>(event.body) ||
                        std::holds_alternative<transcript::AudioMetered>(event.body) ||
                        std::holds_alternative<transcript::AudioPlaced>(event.body);
  if (!measured) settled();
  std::visit([&](const auto& body) { on(body, now); }, event.body);
}

void TurnSpans::settled() {
  if (std::exchange(answer_ended_, false)) send_ended(1);
}

// ---- Answers ----

void TurnSpans::on(const transcript::ResponseStarted& started, Moment now) {
  if (find_answer(started.response_id) == nullptr)
    begin_answer(started.response_id, started.out_of_band, now);
}

TurnSpans::Answer& TurnSpans::begin_answer(const std::string& response_id, bool out_of_band,
                                           Moment now) {
  if (answers_.size() >= open_max) {
    send(answers_.front());
    answers_.pop_front();
  }
  // An answer begins for its user when the user has stopped speaking.
  const Moment began = out_of_band ? now : std::exchange(speech_stopped_, {}).value_or(now);
  Answer& answer = answers_.emplace_back();
  answer.span = maker_.begin(names::response, SpanKind::client, began);
  answer.began = began;
  answer.response_id = response_id;
  Span& span = answer.span;
  span.attributes.emplace_back(names::operation, names::response);
  span.attributes.emplace_back(names::provider, provider_);
  add_plain(span, names::request_model, model_);
  add_plain(span, names::response_id, response_id);
  if (out_of_band) span.attributes.emplace_back(names::out_of_band, true);
  return answer;
}

TurnSpans::Answer* TurnSpans::find_answer(std::string_view response_id) {
  const auto found = std::find_if(answers_.rbegin(), answers_.rend(), [&](const Answer& one) {
    return one.response_id == response_id;
  });
  return found == answers_.rend() ? nullptr : &*found;
}

void TurnSpans::note_item(Answer& answer, const transcript::Item& item) {
  std::string id = plain(item.id);
  if (id.empty() || answer.item_ids.size() >= item_ids_max ||
      std::find(answer.item_ids.begin(), answer.item_ids.end(), id) != answer.item_ids.end())
    return;
  answer.item_ids.push_back(std::move(id));
}

void TurnSpans::on(const transcript::OutputItem& output, Moment) {
  if (Answer* const answer = find_answer(output.response_id)) note_item(*answer, output.item);
}

void TurnSpans::on(const transcript::FirstAudio& measured, Moment) {
  if (Answer* const answer = find_answer(measured.response_id))
    answer->first_audio_ms = measured.ms;
}

void TurnSpans::on(const transcript::ResponseEnded& ended, Moment now) {
  Answer* answer = find_answer(ended.response_id);
  if (answer == nullptr) answer = &begin_answer(ended.response_id, ended.out_of_band, now);
  if (!answer->end_reason.empty()) return;  // the provider repeats it
  answer->span.end_us = end_after(answer->began, now);
  answer->end_reason = end_reason_of(ended);
  for (const transcript::Item& item : ended.output) note_item(*answer, item);
  add_usage(answer->span, ended.usage);
  add_plain(answer->span, names::status_reason, ended.reason);
  if (ended.status == transcript::ResponseStatus::failed) {
    answer->span.failed = true;
    const std::string code = plain(ended.reason);
    answer->span.attributes.emplace_back(names::error_type, code.empty() ? "other" : code);
  }
  answer_ended_ = true;
}

void TurnSpans::on(const transcript::ItemTruncated& truncated, Moment) {
  const auto has_item = [&](const Answer& one) {
    return std::find(one.item_ids.begin(), one.item_ids.end(), truncated.item_id) !=
           one.item_ids.end();
  };
  const auto found = std::find_if(answers_.rbegin(), answers_.rend(), has_item);
  if (found != answers_.rend()) found->heard_ms = truncated.audio_end_ms;
}

void TurnSpans::end_open_answers(std::string_view end_reason, Moment now) {
  for (Answer& answer : answers_) {
    if (!answer.end_reason.empty()) continue;
    answer.span.end_us = end_after(answer.began, now);
    answer.end_reason = end_reason;
    if (end_reason != "connection_lost") continue;
    answer.span.failed = true;
    answer.span.attributes.emplace_back(names::error_type, end_reason);
  }
}

void TurnSpans::send_ended(std::size_t keep) {
  auto ended = static_cast<std::size_t>(std::count_if(
      answers_.begin(), answers_.end(), [](const Answer& one) { return !one.end_reason.empty(); }));
  for (auto one = answers_.begin(); ended > keep && one != answers_.end();) {
    if (one->end_reason.empty()) {
      ++one;
      continue;
    }
    send(*one);
    one = answers_.erase(one);
    --ended;
  }
}

void TurnSpans::send(Answer& answer) {
  std::string_view end_reason = answer.end_reason.empty() ? "other" : answer.end_reason;
  // Talked over while it was still played, after its end.
  if (answer.heard_ms && end_reason == "completed") end_reason = "interrupted";
  Span& span = answer.span;
  span.attributes.emplace_back(names::end_reason, end_reason);
  if (answer.first_audio_ms)
    span.attributes.emplace_back(names::first_audio_ms, *answer.first_audio_ms);
  if (answer.heard_ms) span.attributes.emplace_back(names::heard_ms, *answer.heard_ms);
  if (!answer.item_ids.empty())
    span.attributes.emplace_back(names::item_ids, std::move(answer.item_ids));
  maker_.send(std::move(span));
}

// ---- Utterances ----

void TurnSpans::on(const transcript::UpstreamOpened& opened, Moment) {
  transcription_on_ = opened.transcription_on;
}

void TurnSpans::on(const transcript::SessionConfigured& configured, Moment) {
  transcription_on_ = configured.transcription_on;
}

TurnSpans::Utterance TurnSpans::begin_utterance(const std::string& item_id, Moment now) {
  Utterance utterance;
  utterance.span = maker_.begin(names::user_input, SpanKind::internal, now);
  utterance.began = now;
  utterance.item_id = item_id;
  return utterance;
}

void TurnSpans::on(const transcript::SpeechStarted& started, Moment now) {
  if (speech_ && speech_->item_id == started.item_id) return;
  if (speech_) send(*speech_, "not_committed", now);
  speech_ = begin_utterance(started.item_id, now);
  speech_->speech_starts_ms = started.audio_start_ms;
}

void TurnSpans::on(const transcript::SpeechStopped& stopped, Moment now) {
  speech_stopped_ = now;
  if (speech_ && speech_->speech_starts_ms)
    speech_->speech_ms =
        std::max<std::int64_t>(stopped.audio_end_ms - *speech_->speech_starts_ms, 0);
}

void TurnSpans::on(const transcript::BufferCleared&, Moment now) {
  if (speech_) send(*speech_, "not_committed", now);
  speech_.reset();
}

void TurnSpans::on(const transcript::ItemPlaced& placed, Moment now) {
  if (!placed.committed) return;
  Utterance utterance =
      speech_ ? *std::exchange(speech_, {}) : begin_utterance(placed.item.id, now);
  utterance.item_id = placed.item.id;
  utterance.committed = now;
  utterance.span.end_us = end_after(utterance.began, now);
  if (!utterance.transcription.empty()) return send(utterance, utterance.transcription, now);
  if (!transcription_on_) return send(utterance, "off", now);
  if (waiting_.size() >= open_max) {
    send(waiting_.front(), "pending", now);
    waiting_.pop_front();
  }
  waiting_.push_back(std::move(utterance));
}

void TurnSpans::on(const transcript::TextDone& done, Moment now) {
  if (done.transcription) transcribed(done.item_id, "completed", {}, now);
}

void TurnSpans::on(const transcript::TranscriptionFailed& failed, Moment now) {
  transcribed(failed.item_id, "failed", failed.reason, now);
}

void TurnSpans::transcribed(std::string_view item_id, std::string_view how, std::string_view error,
                            Moment now) {
  if (speech_ && speech_->item_id == item_id) {
    speech_->transcription = how;
    if (!error.empty()) add_plain(speech_->span, names::error_type, error);
    return;
  }
  const auto found = std::find_if(waiting_.begin(), waiting_.end(),
                                  [&](const Utterance& one) { return one.item_id == item_id; });
  if (found == waiting_.end()) return;
  Span& span = found->span;
  span.attributes.emplace_back(names::transcript_after_ms, ms_between(*found->committed, now));
  add_plain(span, names::error_type, error);
  send(*found, how, now);
  waiting_.erase(found);
}

void TurnSpans::send(Utterance& utterance, std::string_view transcription, Moment end) {
  Span& span = utterance.span;
  if (!utterance.committed) span.end_us = end_after(utterance.began, end);
  add_plain(span, names::item_id, utterance.item_id);
  span.attributes.emplace_back(names::transcription, transcription);
  if (utterance.speech_ms) span.attributes.emplace_back(names::speech_ms, *utterance.speech_ms);
  maker_.send(std::move(span));
}

void TurnSpans::finish_utterances(std::string_view open, std::string_view waiting, Moment now) {
  if (speech_) send(*speech_, open, now);
  speech_.reset();
  for (Utterance& utterance : waiting_) send(utterance, waiting, now);
  waiting_.clear();
}

// ---- Ends ----

void TurnSpans::on(const transcript::UpstreamLost&, Moment now) {
  end_open_answers("connection_lost", now);
  finish_utterances("not_committed", "connection_lost", now);
  speech_stopped_.reset();
}

void TurnSpans::finish(std::string_view end_reason, Moment now) {
  end_open_answers(end_reason, now);
  send_ended(0);
  finish_utterances("not_committed", "pending", now);
}

SpanId TurnSpans::innermost() const {
  const auto open = std::find_if(answers_.rbegin(), answers_.rend(),
                                 [](const Answer& one) { return one.end_reason.empty(); });
  if (open != answers_.rend()) return open->span.id;
  if (speech_) return speech_->span.id;
  return maker_.root();
}

}  // namespace verbatim::traces
