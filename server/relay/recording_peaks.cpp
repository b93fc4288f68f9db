#include "server/relay/recording_peaks.hpp"

#include <algorithm>
#include <cstdlib>
#include <exception>
#include <filesystem>
#include <fstream>
#include <iterator>
#include <system_error>
#include <utility>

#include "base/checksum.hpp"
#include "base/files.hpp"
#include "base/json/dump.hpp"
#include "base/json/tree.hpp"
#include "server/recording/track_files.hpp"

namespace verbatim::relay {

namespace {

namespace fs = std::filesystem;

/// Changes with the form of the answer and with the way in which it is computed.
constexpr int form = 1;
constexpr std::uintmax_t kept_bytes_max = 16 * 1024 * 1024;  ///< a larger file is not ours

/// The first line of a kept file. The JSON text follows.
std::string head_of(const std::string& identity, const std::string& json) {
  return "verbatim peaks " + identity + " " + std::to_string(checksum(json)) + "\n";
}

std::optional<std::string> read_file(const fs::path& file) {
  std::error_code none_there;
  const auto size = fs::file_size(file, none_there);
  if (none_there || size > kept_bytes_max) return std::nullopt;
  std::ifstream in(file, std::ios::binary);
  return std::string{std::istreambuf_iterator<char>(in), {}};
}

/// Only silence gives 0.
std::uint8_t value_of(int largest) {
  constexpr int full_scale = 32768;
  return static_cast<std::uint8_t>((largest * RecordingPeaks::loudest + full_scale - 1) /
                                   full_scale);
}

}  // namespace

RecordingPeaks::RecordingPeaks(Recordings& recordings, RecordedAudio audio,
                               AudioTimeline::Runs runs)
    : recordings_(recordings), audio_(std::move(audio)), runs_(std::move(runs)) {
  const AudioTimeline& timeline = *audio_.timeline;
  const auto rate = static_cast<std::uint64_t>(timeline.rate());
  const auto values = [&] { return (timeline.frames() + value_frames_ - 1) / value_frames_; };
  value_frames_ = std::max<std::uint64_t>(1, rate * value_ms_min / 1000);
  while (values() > values_max) value_frames_ *= 2;
  for (auto& of_a_speaker : values_) of_a_speaker.resize(static_cast<std::size_t>(values()));
  identity_ = std::to_string(form);
  for (const std::int64_t number :
       {timeline.starts_at_ms(), static_cast<std::int64_t>(timeline.frames()),
        static_cast<std::int64_t>(rate), timeline.sizes().user, timeline.sizes().assistant})
    identity_ += "." + std::to_string(number);
}

void RecordingPeaks::read_kept(std::function<void(std::optional<std::string>)> done) {
  const auto read = [self = shared_from_this(), done = std::move(done)](const fs::path& folder) {
    const auto content = read_file(recording::peaks_file_in(folder, self->audio_.attempt));
    const std::size_t end = content ? content->find('\n') : std::string::npos;
    if (end == std::string::npos) return done(std::nullopt);
    std::string json = content->substr(end + 1);
    if (!content->starts_with(head_of(self->identity_, json))) return done(std::nullopt);
    done(std::move(json));
  };
  recordings_.in_folder(audio_.session_id, read);
}

void RecordingPeaks::next(std::function<void(Progress)> done) {
  recordings_.encode(
      [self = shared_from_this(), done = std::move(done)] { done(self->compute()); });
}

RecordingPeaks::Progress RecordingPeaks::compute() {
  const AudioTimeline& timeline = *audio_.timeline;
  computed_ = timeline.next_audio(computed_);  // silence may last for hours
  if (computed_ < timeline.frames()) {
    const auto samples = recordings_.samples(audio_, computed_, part_frames);
    if (!samples) return Progress::failed;
    add(*samples);
    return Progress::more;
  }
  json_ = to_json();
  keep();
  return Progress::complete;
}

/// Takes the samples that follow the computed ones, of both speakers in turn.
void RecordingPeaks::add(const std::string& samples) {
  const std::size_t frame_bytes = 2 * values_.size();
  const std::uint64_t end = computed_ + samples.size() / frame_bytes;
  std::size_t at = 0;
  while (computed_ < end) {
    const std::uint64_t value = computed_ / value_frames_;
    const std::uint64_t stop = std::min(end, (value + 1) * value_frames_);
    std::array<int, Recordings::files_of_a_session> largest{};
    for (; computed_ < stop; ++computed_) {
      for (int& one : largest) {
        const auto low = static_cast<std::uint8_t>(samples[at]);
        const auto high = static_cast<std::uint8_t>(samples[at + 1]);
        one = std::max(one, std::abs(static_cast<std::int16_t>(low | high << 8)));
        at += 2;
      }
    }
    for (std::size_t i = 0; i < largest.size(); ++i) {
      std::uint8_t& kept = values_[i][static_cast<std::size_t>(value)];
      kept = std::max(kept, value_of(largest[i]));
    }
  }
}

std::string RecordingPeaks::to_json() const {
  const AudioTimeline& timeline = *audio_.timeline;
  const auto rate = static_cast<std::uint64_t>(timeline.rate());
  const Json per_second =
      rate % value_frames_ == 0
          ? Json(rate / value_frames_)
          : Json(static_cast<double>(rate) / static_cast<double>(value_frames_));
  Json spoken = Json::array();
  for (const auto& item : timeline.heard_items(runs_))
    spoken.push_back({{"item_id", item.item_id},
                      {"from_ms", item.begins * 1000 / rate},
                      {"to_ms", item.ends * 1000 / rate}});
  return dump({{"starts_at_ms", timeline.starts_at_ms()},
               {"duration_ms", timeline.frames() * 1000 / rate},
               {"per_second", per_second},
               {"user", values_[0]},
               {"assistant", values_[1]},
               {"spoken", std::move(spoken)}});
}

void RecordingPeaks::keep() {
  recordings_.in_folder(audio_.session_id, [self = shared_from_this()](const fs::path& folder) {
    const fs::path file = recording::peaks_file_in(folder, self->audio_.attempt);
    try {
      write_file_atomically(file, head_of(self->identity_, self->json_) + self->json_, 0600);
    } catch (const std::exception&) {
      // The folder is erased, or the disk is full: the next call computes them again.
      std::error_code none_there;
      fs::remove(file.string() + ".tmp", none_there);
    }
  });
}

}  // namespace verbatim::relay
