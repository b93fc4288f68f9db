#include "server/relay/audio_timeline.hpp"

#include <algorithm>
#include <limits>
#include <unordered_map>
#include <utility>

namespace verbatim::relay {

using transcript::AudioEncoding;
using transcript::AudioFormat;
using transcript::AudioPlaced;
using transcript::AudioTrack;

namespace {

/// ITU-T G.711, mu-law.
std::int16_t from_pcmu(std::uint8_t code) {
  const unsigned bits = static_cast<std::uint8_t>(~code);
  const int magnitude = static_cast<int>((((bits & 0x0FU) << 3U) + 0x84U) << ((bits >> 4U) & 7U));
  return static_cast<std::int16_t>((bits & 0x80U) != 0 ? 0x84 - magnitude : magnitude - 0x84);
}

/// ITU-T G.711, A-law.
std::int16_t from_pcma(std::uint8_t code) {
  const unsigned bits = code ^ 0x55U;
  const unsigned segment = (bits >> 4U) & 7U;
  unsigned magnitude = ((bits & 0x0FU) << 4U) + 8U;
  if (segment != 0) magnitude = (magnitude + 0x100U) << (segment - 1U);
  const int value = static_cast<int>(magnitude);
  return static_cast<std::int16_t>((bits & 0x80U) != 0 ? value : -value);
}

void put_number(std::string& out, std::uint64_t value, int bytes) {
  for (int i = 0; i < bytes; ++i) out.push_back(static_cast<char>(value >> (8 * i)));
}

}  // namespace

std::int64_t AudioTimeline::frames_of(std::int64_t bytes, const AudioFormat& format) const {
  return bytes / transcript::sample_bytes(format.encoding) * rate_ / format.rate;
}

/// A process that was killed may have written the first samples of a track, and not their index.
/// They are then at the beginning of the attempt.
AudioTimeline::Runs AudioTimeline::completed(Runs runs, const TrackSizes& sizes) {
  AudioFormat format;  // the usual one, unless the other track has another
  for (const AudioPlaced& run : runs)
    if (run.format.encoding != AudioEncoding::none && run.format.rate > 0) format = run.format;
  for (const AudioTrack track : {AudioTrack::user, AudioTrack::assistant}) {
    const bool has_time = std::any_of(runs.begin(), runs.end(), [&](const AudioPlaced& run) {
      return run.track == track && run.at_ms >= 0;
    });
    if (!has_time && sizes.of(track) > 0) {
      AudioPlaced first;
      first.track = track;
      first.at_ms = 0;
      first.format = format;
      runs.push_back(first);
    }
  }
  return runs;
}

/// The runs of a track that have a time. Each ends where the next one begins in the file.
AudioTimeline::Pieces AudioTimeline::pieces_of(AudioTrack track, const Runs& runs,
                                               std::int64_t size, const AudioExport& wanted) const {
  std::vector<AudioPlaced> placed;
  for (const AudioPlaced& run : runs)
    if (run.track == track && run.at_ms >= 0 && run.from >= 0 && run.format.rate > 0)
      placed.push_back(run);
  std::stable_sort(placed.begin(), placed.end(),
                   [](const auto& one, const auto& other) { return one.from < other.from; });
  const bool item_alone = wanted.unheard && wanted.item_id && track == AudioTrack::assistant;
  Pieces pieces;
  for (std::size_t i = 0; i < placed.size(); ++i) {
    const AudioPlaced& run = placed[i];
    if (item_alone && run.item_id != *wanted.item_id) continue;
    const std::int64_t end = std::min(size, i + 1 < placed.size() ? placed[i + 1].from : size);
    std::int64_t bytes = std::max<std::int64_t>(0, end - run.from);
    if (run.bytes >= 0 && !wanted.unheard) bytes = std::min(bytes, run.bytes);
    const std::int64_t frames = frames_of(bytes, run.format);
    if (frames == 0 || run.format.encoding == AudioEncoding::none) continue;
    std::int64_t begins = run.at_ms * rate_ / 1000;
    if (!pieces.empty() && track == AudioTrack::user) {
      begins = std::max(begins, pieces.back().ends);  // all that was said stays
    } else if (!pieces.empty()) {
      // A later run replaces audio that was not heard: a process was killed there.
      Piece& before = pieces.back();
      before.ends = std::max(before.begins, std::min(before.ends, begins));
    }
    pieces.push_back({track, begins, begins + frames, run.from, run.format, run.item_id});
  }
  return pieces;
}

/// Calls `add(item_id, begins, ends)` for each stretch in which an item is heard, in frames of the
/// attempt.
template <class Add>
void AudioTimeline::each_heard(const Runs& runs, const Add& add) const {
  for (const Piece& piece : pieces_) {
    if (piece.track == AudioTrack::assistant) {
      if (piece.begins < piece.ends) add(piece.item_id, piece.begins, piece.ends);
      continue;
    }
    for (const AudioPlaced& run : runs) {
      if (run.track != AudioTrack::user || run.at_ms >= 0) continue;
      const auto frame_at = [&](std::int64_t byte) {
        return piece.begins + frames_of(std::max<std::int64_t>(0, byte - piece.from), piece.format);
      };
      const std::int64_t begins = frame_at(run.from);
      const std::int64_t ends = std::min(piece.ends, frame_at(run.from + run.bytes));
      if (begins < ends) add(run.item_id, begins, ends);
    }
  }
}

std::uint64_t AudioTimeline::next_audio(std::uint64_t first) const {
  std::uint64_t next = frames_;
  for (const Piece& piece : pieces_) {
    const auto begins =
        static_cast<std::uint64_t>(std::max<std::int64_t>(0, piece.begins - origin_));
    const auto ends = static_cast<std::uint64_t>(std::max<std::int64_t>(0, piece.ends - origin_));
    if (first < ends) next = std::min(next, std::max(first, begins));
  }
  return next;
}

std::vector<AudioTimeline::Heard> AudioTimeline::heard_items(const Runs& runs) const {
  std::vector<Heard> items;
  std::unordered_map<std::string, std::size_t> known;
  each_heard(runs, [&](const std::string& item_id, std::int64_t begins, std::int64_t ends) {
    if (item_id.empty()) return;
    const auto from = static_cast<std::uint64_t>(std::max<std::int64_t>(0, begins - origin_));
    const auto to = static_cast<std::uint64_t>(std::max<std::int64_t>(0, ends - origin_));
    const auto [entry, is_new] = known.try_emplace(item_id, items.size());
    if (is_new) items.push_back({item_id, from, to});
    Heard& item = items[entry->second];
    item.begins = std::min(item.begins, from);
    item.ends = std::max(item.ends, to);
  });
  std::stable_sort(items.begin(), items.end(),
                   [](const Heard& one, const Heard& other) { return one.begins < other.begins; });
  return items;
}

/// The export is the time in which the item is heard. False: it is not.
bool AudioTimeline::choose_item(const Runs& runs, const std::string& item_id,
                                std::int64_t margin_ms) {
  std::int64_t first = std::numeric_limits<std::int64_t>::max();
  std::int64_t last = 0;
  each_heard(runs, [&](const std::string& one, std::int64_t begins, std::int64_t ends) {
    if (one != item_id) return;
    first = std::min(first, begins);
    last = std::max(last, ends);
  });
  if (first >= last) return false;
  const std::int64_t margin = margin_ms * rate_ / 1000;
  std::int64_t earliest = std::max(origin_, first - margin);
  std::int64_t latest = std::min(origin_ + static_cast<std::int64_t>(frames_), last + margin);
  each_heard(runs, [&](const std::string& item, std::int64_t begins, std::int64_t ends) {
    if (item == item_id) return;
    if (ends <= first) earliest = std::max(earliest, ends);
    if (begins >= last) latest = std::min(latest, begins);
  });
  first = std::min(first, earliest);
  last = std::max(last, latest);
  origin_ = first;
  frames_ = static_cast<std::uint64_t>(last - first);
  return true;
}

std::optional<AudioTimeline> AudioTimeline::of(const Runs& known, const TrackSizes& sizes,
                                               const AudioExport& wanted) {
  const Runs runs = completed(known, sizes);
  AudioTimeline made;
  made.track_ = wanted.track;
  made.sizes_ = sizes;
  int rate = 0;
  for (const AudioPlaced& run : runs)
    if (run.format.encoding != AudioEncoding::none) rate = std::max(rate, run.format.rate);
  if (rate <= 0) return std::nullopt;
  made.rate_ = rate;
  for (const AudioTrack track : {AudioTrack::user, AudioTrack::assistant}) {
    Pieces pieces = made.pieces_of(track, runs, sizes.of(track), wanted);
    std::move(pieces.begin(), pieces.end(), std::back_inserter(made.pieces_));
  }
  if (made.pieces_.empty()) return std::nullopt;
  // Both tracks begin at the same moment, also if only one is asked for.
  made.origin_ = made.pieces_.front().begins;
  std::int64_t end = 0;
  for (const Piece& piece : made.pieces_) {
    made.origin_ = std::min(made.origin_, piece.begins);
    end = std::max(end, piece.ends);
  }
  made.frames_ = static_cast<std::uint64_t>(std::max<std::int64_t>(0, end - made.origin_));
  if (wanted.item_id && !made.choose_item(runs, *wanted.item_id, wanted.margin_ms))
    return std::nullopt;
  return made;
}

std::string AudioTimeline::header() const {
  const std::uint64_t most = std::numeric_limits<std::uint32_t>::max();
  const std::uint64_t data = std::min(bytes() - header_bytes, most - 36);
  const auto rate = static_cast<std::uint64_t>(rate_);
  std::string out = "RIFF";
  put_number(out, data + 36, 4);
  out += "WAVEfmt ";
  put_number(out, 16, 4);
  put_number(out, 1, 2);  // PCM
  put_number(out, static_cast<std::uint64_t>(channels()), 2);
  put_number(out, rate, 4);
  put_number(out, rate * frame_bytes(), 4);
  put_number(out, frame_bytes(), 2);
  put_number(out, 16, 2);
  out += "data";
  put_number(out, data, 4);
  return out;
}

/// Writes the piece's samples of the frames [first, last) of the attempt. Another rate is met by
/// repeating or leaving out samples. False: they are not all there.
bool AudioTimeline::mix(const Piece& piece, std::int64_t first, std::int64_t last,
                        const ReadTrack& read, std::string& into) const {
  const std::int64_t begin = std::max(first, piece.begins);
  const std::int64_t end = std::min(last, piece.ends);
  if (begin >= end) return true;
  const auto sample_at = [&](std::int64_t frame) {
    return (frame - piece.begins) * piece.format.rate / rate_;
  };
  const std::int64_t width = transcript::sample_bytes(piece.format.encoding);
  const std::int64_t first_sample = sample_at(begin);
  const auto wanted = static_cast<std::size_t>((sample_at(end - 1) + 1 - first_sample) * width);
  const std::string source = read(piece.track, piece.from + first_sample * width, wanted);
  if (source.size() < wanted) return false;
  const std::size_t place = !track_ && piece.track == AudioTrack::assistant ? 2 : 0;
  for (std::int64_t frame = begin; frame < end; ++frame) {
    const auto at = static_cast<std::size_t>((sample_at(frame) - first_sample) * width);
    const std::size_t to = static_cast<std::size_t>(frame - first) * frame_bytes() + place;
    if (piece.format.encoding == AudioEncoding::pcm16) {
      into[to] = source[at];
      into[to + 1] = source[at + 1];
      continue;
    }
    const auto code = static_cast<std::uint8_t>(source[at]);
    const std::int16_t value =
        piece.format.encoding == AudioEncoding::pcmu ? from_pcmu(code) : from_pcma(code);
    into[to] = static_cast<char>(value);
    into[to + 1] = static_cast<char>(value >> 8);
  }
  return true;
}

std::optional<std::string> AudioTimeline::samples(std::uint64_t first, std::uint64_t count,
                                                  const ReadTrack& track) const {
  count = std::min(count, frames_ - std::min(first, frames_));
  std::string audio(static_cast<std::size_t>(count * frame_bytes()), '\0');
  const std::int64_t begin = origin_ + static_cast<std::int64_t>(first);
  for (const Piece& piece : pieces_) {
    if (track_ && piece.track != *track_) continue;
    if (!mix(piece, begin, begin + static_cast<std::int64_t>(count), track, audio))
      return std::nullopt;
  }
  return audio;
}

std::optional<std::string> AudioTimeline::read(std::uint64_t from, std::size_t count,
                                               const ReadTrack& track) const {
  if (from >= bytes()) return std::string();
  count = static_cast<std::size_t>(std::min<std::uint64_t>(count, bytes() - from));
  std::string out;
  if (from < header_bytes) out = header().substr(static_cast<std::size_t>(from), count);
  if (out.size() == count) return out;
  // Whole frames are made, and cut at both ends.
  const std::uint64_t skip = from < header_bytes ? 0 : (from - header_bytes) % frame_bytes();
  const std::uint64_t frame = from < header_bytes ? 0 : (from - header_bytes) / frame_bytes();
  const std::size_t more = count - out.size();
  const auto audio = samples(frame, (skip + more + frame_bytes() - 1) / frame_bytes(), track);
  if (!audio) return std::nullopt;
  return out + audio->substr(static_cast<std::size_t>(skip), more);
}

}  // namespace verbatim::relay
