#include "server/repair/utterance.hpp"

#include <algorithm>
#include <unordered_map>
#include <unordered_set>

namespace verbatim::repair {

using transcript::AudioPlaced;
using transcript::AudioTrack;

namespace {

/// A fiftieth of a second is shorter than any word, and longer than a click.
constexpr int windows_per_second = 50;
/// Root mean square, -54 dB of full scale: below it is the noise of a muted microphone, and a
/// whisper is above it.
constexpr double sound_min = 66;

bool is_blank(const Text& text) {
  const std::string& bytes = text.wtf8();
  return bytes.find_first_not_of(" \t\r\n") == std::string::npos;
}

bool names_speech(const AudioPlaced& run) {
  return run.track == AudioTrack::user && run.at_ms < 0 && !run.item_id.empty() && run.bytes > 0 &&
         run.format.encoding != transcript::AudioEncoding::none && run.format.rate > 0;
}

std::unordered_map<std::string, std::int64_t> speech_of(const Runs& runs) {
  std::unordered_map<std::string, std::int64_t> ms;
  for (const AudioPlaced& run : runs)
    if (names_speech(run))
      ms[run.item_id] += run.bytes * 1000 / transcript::bytes_per_second(run.format);
  return ms;
}

bool has_repair(const transcript::MergedTurn& turn) {
  return std::find(turn.writers.begin(), turn.writers.end(), transcript::repair_writer) !=
         turn.writers.end();
}

}  // namespace

std::vector<Utterance> choose_utterances(const transcript::TranscriptView& view, const Runs& runs,
                                         bool again) {
  std::unordered_set<std::string> gaps;
  for (const transcript::Gap& gap : view.gaps)
    if (gap.kind == transcript::GapKind::failed_transcription) gaps.insert(gap.item_id);
  const auto speech = speech_of(runs);
  std::vector<Utterance> chosen;
  for (const transcript::MergedTurn& turn : view.turns) {
    const auto spoken = speech.find(turn.item_id);
    if (turn.role != transcript::Role::user || spoken == speech.end()) continue;
    const bool empty = turn.status == transcript::TurnStatus::completed && is_blank(turn.text) &&
                       spoken->second > speech_min_ms;
    if (!empty && !gaps.contains(turn.item_id)) continue;
    if (!again && has_repair(turn)) continue;
    chosen.push_back({turn.item_id, turn.ordinal, spoken->second, 0});
  }
  return chosen;
}

std::optional<relay::AudioTimeline> cut_utterance(const Runs& runs, std::int64_t user_bytes,
                                                  const std::string& item_id) {
  // Without the assistant's track the file has the rate of the user's.
  Runs of_user;
  std::copy_if(runs.begin(), runs.end(), std::back_inserter(of_user),
               [](const AudioPlaced& run) { return run.track == AudioTrack::user; });
  return relay::AudioTimeline::of(of_user, {user_bytes, 0},
                                  {AudioTrack::user, false, item_id, margin_ms});
}

SoundDetector::SoundDetector(int rate) : window_(std::max(1, rate / windows_per_second)) {}

void SoundDetector::add(std::string_view samples) {
  for (std::size_t at = 0; at + 1 < samples.size() && !found_; at += 2) {
    const auto value = static_cast<std::int16_t>(static_cast<std::uint8_t>(samples[at]) |
                                                 static_cast<std::uint8_t>(samples[at + 1]) << 8);
    energy_ += static_cast<double>(value) * value;
    if (++in_window_ < window_) continue;
    found_ = energy_ >= sound_min * sound_min * static_cast<double>(window_);
    in_window_ = 0;
    energy_ = 0;
  }
}

}  // namespace verbatim::repair
