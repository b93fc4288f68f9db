#include "session/audio_placement.hpp"

#include <algorithm>

namespace verbatim::session {

using transcript::AudioFormat;
using transcript::AudioPlaced;
using transcript::AudioTrack;

namespace {

std::int64_t ms_of(std::int64_t bytes, const AudioFormat& format) {
  return bytes * 1000 / transcript::bytes_per_second(format);
}

/// Whole samples.
std::int64_t bytes_of(std::int64_t ms, const AudioFormat& format) {
  return ms * format.rate / 1000 * transcript::sample_bytes(format.encoding);
}

/// A provider may send any number.
std::int64_t bounded(std::int64_t ms) {
  constexpr std::int64_t longest_ms = std::int64_t{1000} * 3600 * 24 * 365;
  return std::clamp<std::int64_t>(ms, 0, longest_ms);
}

}  // namespace

// ---- The user's track ----

/// When the track's audio before `offset` ends, without the watched gap.
std::int64_t AudioPlacement::user_end_ms(std::int64_t offset) const {
  return run_at_ms_ + ms_of(offset - run_from_, user_format_);
}

AudioPlaced AudioPlacement::user_run(std::int64_t from, std::int64_t at_ms) const {
  return {AudioTrack::user, {}, from, -1, at_ms, user_format_};
}

AudioPlacement::Runs AudioPlacement::user_audio(std::int64_t bytes, const AudioFormat& format,
                                                std::int64_t now_ms) {
  Runs changed;
  if (bytes <= 0) return changed;
  const bool new_format = any_user_ && format != user_format_;
  while (!watches_.empty() && (new_format || now_ms - watches_.front().since_ms >= settle_ms))
    settle(changed);
  if (new_format) {
    run_at_ms_ = user_end_ms(user_bytes_);
    run_from_ = user_bytes_;
  }
  const bool begins = !any_user_ || new_format;
  any_user_ = true;
  user_format_ = format;
  const std::int64_t from = user_bytes_;
  user_bytes_ += bytes;
  const std::int64_t late_ms = std::max<std::int64_t>(0, now_ms - user_end_ms(user_bytes_));
  for (Watch& one : watches_) one.least_ms = std::min(one.least_ms, late_ms);
  forget_caught_up(changed);
  const std::int64_t before_ms = watches_.empty() ? 0 : watches_.back().least_ms;
  if (!begins && late_ms - before_ms < gap_min_ms) return changed;
  watches_.push_back({from, now_ms, late_ms, begins || late_ms - before_ms >= early_note_ms});
  if (watches_.back().noted) changed.push_back(user_run(from, user_end_ms(from) + late_ms));
  return changed;
}

/// Audio that came in a burst has made up for the stall before it: there is no gap.
void AudioPlacement::forget_caught_up(Runs& changed) {
  std::int64_t before_ms = 0;
  for (auto one = watches_.begin(); one != watches_.end();) {
    if (one->from == run_from_ || one->least_ms - before_ms >= gap_min_ms) {
      before_ms = one->least_ms;
      ++one;
      continue;
    }
    if (one->noted) changed.push_back(user_run(one->from, user_end_ms(one->from) + before_ms));
    one = watches_.erase(one);
  }
}

/// The first watched run begins as late as its audio was at the least.
void AudioPlacement::settle(Runs& changed) {
  if (watches_.empty()) return;
  const Watch first = watches_.front();
  watches_.pop_front();
  run_at_ms_ = user_end_ms(first.from) + first.least_ms;
  run_from_ = first.from;
  for (Watch& one : watches_) one.least_ms -= first.least_ms;
  changed.push_back(user_run(run_from_, run_at_ms_));
}

std::int64_t AudioPlacement::at_provider_ms(std::int64_t ms) const {
  return std::min(base_ + bytes_of(bounded(ms), user_format_), user_bytes_);
}

void AudioPlacement::speech_started(const std::string& item_id, std::int64_t audio_start_ms) {
  speech_item_ = item_id;
  speech_from_ = at_provider_ms(audio_start_ms);
}

AudioPlacement::Runs AudioPlacement::speech_stopped(const std::string& item_id,
                                                    std::int64_t audio_end_ms) {
  if (item_id != speech_item_) return {};
  return utterance(item_id, speech_from_, at_provider_ms(audio_end_ms));
}

AudioPlacement::Runs AudioPlacement::committed(const std::string& item_id) {
  const std::int64_t from = item_id == speech_item_ ? speech_from_ : uncommitted_from_;
  uncommitted_from_ = user_bytes_;
  return item_id == marked_item_ ? Runs() : utterance(item_id, from, user_bytes_);
}

void AudioPlacement::cleared() {
  speech_item_.clear();
  uncommitted_from_ = user_bytes_;
}

AudioPlacement::Runs AudioPlacement::utterance(const std::string& item_id, std::int64_t from,
                                               std::int64_t to) {
  if (item_id.empty() || to <= from) return {};
  speech_item_.clear();
  marked_item_ = item_id;
  return {{AudioTrack::user, item_id, from, to - from, -1, user_format_}};
}

// ---- The assistant's track ----

std::int64_t AudioPlacement::Run::end_ms() const {
  return at_ms + ms_of(heard < 0 ? bytes : heard, format);
}

AudioPlaced AudioPlacement::Run::placed() const {
  return {AudioTrack::assistant, item_id, from, heard, at_ms, format};
}

/// The client's player has run dry if audio comes later than the end of what it has.
bool AudioPlacement::goes_on(const std::string& item_id, const AudioFormat& format,
                             std::int64_t now_ms) const {
  if (!open_ || runs_.empty()) return false;
  const Run& last = runs_.back();
  if (last.item_id != item_id || last.format != format) return false;
  return last.at_ms < 0 || last.heard >= 0 || now_ms - last.end_ms() < gap_min_ms;
}

AudioPlacement::Runs AudioPlacement::answer_audio(const std::string& item_id, std::int64_t bytes,
                                                  const AudioFormat& format,
                                                  std::int64_t received_us, bool attached,
                                                  std::int64_t now_ms) {
  Runs changed;
  if (bytes <= 0) return changed;
  if (!goes_on(item_id, format, now_ms)) {
    if (runs_.size() == runs_kept_max) {
      if (unsent_ == runs_.size()) changed = skip_unsent();
      runs_.pop_front();
    }
    Run run;
    run.item_id = item_id;
    run.from = assistant_bytes_;
    run.format = format;
    run.received_us = received_us;
    for (const Run& one : runs_)
      if (one.item_id == item_id) run.before = one.before + one.bytes;
    open_ = true;
    if (item_id == truncated_item_) {
      run.heard = 0;
      run.at_ms = played_until_ms_;
      changed.push_back(run.placed());
    } else {
      ++unsent_;
      // So that a process that is killed now does not leave it to the run before.
      if (!attached)
        changed.push_back({AudioTrack::assistant, item_id, run.from, 0, played_until_ms_, format});
    }
    runs_.push_back(std::move(run));
  }
  Run& run = runs_.back();
  run.bytes += bytes;
  assistant_bytes_ += bytes;
  if (run.at_ms >= 0) played_until_ms_ = std::max(played_until_ms_, run.end_ms());
  return changed;
}

void AudioPlacement::place(Run& run, std::int64_t now_ms) {
  run.at_ms = std::max(played_until_ms_, now_ms);
  played_until_ms_ = run.end_ms();
}

AudioPlacement::Runs AudioPlacement::sent(std::int64_t received_us, std::int64_t now_ms) {
  Runs changed;
  while (unsent_ > 0) {
    Run& run = runs_[runs_.size() - unsent_];
    if (run.received_us > received_us) break;
    --unsent_;
    place(run, now_ms);
    changed.push_back(run.placed());
  }
  return changed;
}

AudioPlacement::Runs AudioPlacement::truncated(const std::string& item_id,
                                               std::int64_t audio_end_ms) {
  Runs changed;
  for (std::size_t i = 0; i < runs_.size(); ++i) {
    Run& run = runs_[i];
    if (run.item_id != item_id || run.at_ms < 0) continue;
    const std::int64_t heard = std::clamp<std::int64_t>(
        bytes_of(bounded(audio_end_ms), run.format) - run.before, 0, run.bytes);
    const std::int64_t now_heard = run.heard < 0 ? run.bytes : run.heard;
    const bool last = i + unsent_ + 1 == runs_.size();  // of those that were sent
    if (heard < now_heard || last) {
      run.heard = std::min(heard, now_heard);
      changed.push_back(run.placed());
    }
    if (last) played_until_ms_ = run.end_ms();
  }
  truncated_item_ = item_id;
  if (!runs_.empty() && runs_.back().item_id == item_id) open_ = false;
  return changed;
}

AudioPlacement::Runs AudioPlacement::skip_unsent() {
  Runs changed;
  for (; unsent_ > 0; --unsent_) {
    Run& run = runs_[runs_.size() - unsent_];
    run.at_ms = played_until_ms_;
    run.heard = 0;
    changed.push_back(run.placed());
  }
  open_ = false;
  return changed;
}

AudioPlacement::Runs AudioPlacement::finish() {
  Runs changed = skip_unsent();
  while (!watches_.empty()) settle(changed);
  return changed;
}

AudioPlacement::Runs AudioPlacement::stopped(std::int64_t now_ms) const {
  constexpr AudioFormat none{transcript::AudioEncoding::none, 24000};
  return {{AudioTrack::user, {}, user_bytes_, 0, now_ms, none},
          {AudioTrack::assistant, {}, assistant_bytes_, 0, now_ms, none}};
}

}  // namespace verbatim::session
