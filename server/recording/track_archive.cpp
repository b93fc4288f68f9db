#include "server/recording/track_archive.hpp"

#include <algorithm>
#include <cerrno>
#include <string>
#include <system_error>
#include <utility>

#include "server/recording/disk_file.hpp"
#include "server/recording/sealed_file.hpp"
#include "server/recording/track_reader.hpp"
#include "server/relay/audio/decoder.hpp"
#include "server/relay/audio/samples.hpp"

namespace verbatim::recording {

namespace {

namespace fs = std::filesystem;

/// Bytes of the raw file that are encoded or compared at once.
constexpr std::size_t piece_bytes = 64 * 1024;
/// The range of rates that FLAC files have everywhere.
constexpr int flac_rate_max = 192'000;

Form form_of(const Coding& coding, bool encrypted) {
  if (encrypted) return Form::sealed;
  return coding.format == audio::Format::opus ? Form::opus : Form::flac;
}

Content content_of(const Coding& coding) {
  if (!coding.format) return Content::pcm;
  return *coding.format == audio::Format::opus ? Content::opus : Content::flac;
}

/// The archive's bytes go through here, encrypted or not.
class ArchiveWriter {
 public:
  ArchiveWriter(DiskFile& file, const std::optional<SessionKey>& key, Content content,
                const Track& track)
      : file_(file) {
    if (key) sealed_.emplace(file, *key, content, track_name(track));
  }
  bool append(const std::string& bytes) {
    return sealed_ ? sealed_->append(bytes) : file_.append(bytes);
  }
  bool finish() { return !sealed_ || sealed_->finish(); }

 private:
  DiskFile& file_;
  std::optional<SealedWriter> sealed_;
};

/// One track on its way into the archive.
class Work {
 public:
  Work(const ArchiveOrder& order, const std::function<bool()>& stop, DiskFile raw)
      : order_(order),
        stop_(stop),
        raw_(std::move(raw)),
        raw_path_(file_of(order.directory, order.track, Form::raw)),
        unfinished_(unfinished_file_of(order.directory, order.track)),
        folder_(folder_of(order.directory, order.track.session_id)),
        size_(raw_.size()),
        // Half of a sample can only be kept as it is.
        coding_(size_ % 2 == 0 ? order.coding : Coding{}),
        form_(form_of(coding_, !order.masters.empty())) {}

  tl::expected<ArchivedTrack, Trouble> run() {
    if (size_ < 0) return tl::unexpected(system_trouble(raw_path_.filename().string()));
    const auto standing = TrackReader::open(order_.directory, order_.track, order_.masters);
    if (standing) return end_with(**standing);
    if (standing.error().kind != TroubleKind::none_there) return tl::unexpected(standing.error());
    if (!has_archive(coding_, order_.masters) || size_ == 0) return ArchivedTrack{};
    auto done = make();
    if (!done || done->raw_bytes == 0) {
      std::error_code ignored;
      fs::remove(unfinished_, ignored);
    }
    return done;
  }

 private:
  Trouble failed(const std::string& what) const {
    return {TroubleKind::unreadable, track_name(order_.track) + ": " + what};
  }
  Trouble failed_call() const { return system_trouble(unfinished_.filename().string()); }

  /// The archive was complete when it got its name: only the raw file was still there.
  tl::expected<ArchivedTrack, Trouble> end_with(TrackReader& archive) {
    if (archive.size() != size_)
      return tl::unexpected(failed("the archive is for " + std::to_string(archive.size()) +
                                   " bytes, and the raw file has " + std::to_string(size_)));
    return remove_raw(0);
  }

  tl::expected<ArchivedTrack, Trouble> make() {
    if (auto trouble = find_room()) return tl::unexpected(*std::move(trouble));
    if (!order_.masters.empty()) {
      auto key = make_session_key(order_.directory, order_.track.session_id, order_.masters);
      if (!key) return tl::unexpected(std::move(key).error());
      key_ = *std::move(key);
    }
    std::error_code ignored;
    fs::remove(unfinished_, ignored);
    DiskFile file = DiskFile::create(unfinished_);
    if (!file) return tl::unexpected(failed_call());
    const auto written = write(file);
    if (!written) return tl::unexpected(written.error());
    if (!*written) return ArchivedTrack{};
    if (!file.take_time_of(raw_) || !file.sync()) return tl::unexpected(failed_call());
    file.forget_cached();
    const auto equal = compare();
    if (!equal) return tl::unexpected(equal.error());
    if (!*equal) return ArchivedTrack{};
    const std::int64_t bytes = file.size();
    std::error_code ec;
    fs::rename(unfinished_, file_of(order_.directory, order_.track, form_), ec);
    if (ec) return tl::unexpected(failed(ec.message()));
    return remove_raw(static_cast<std::uint64_t>(std::max<std::int64_t>(0, bytes)));
  }

  /// The journal needs room more than an archive does.
  std::optional<Trouble> find_room() const {
    std::error_code unknown;
    const auto space = fs::space(folder_, unknown);
    if (unknown || space.available >= static_cast<std::uint64_t>(size_) + order_.room_left)
      return std::nullopt;
    return failed("the disk has too little free space for an archive");
  }

  /// False: it was stopped.
  tl::expected<bool, Trouble> write(DiskFile& file) {
    ArchiveWriter out(file, key_, content_of(coding_), order_.track);
    std::unique_ptr<audio::Encoder> encoder;
    if (coding_.format) {
      encoder = order_.make_encoder(
          *coding_.format,
          {coding_.rate, 1, static_cast<std::uint64_t>(size_) / audio::sample_bytes});
      if (!encoder) return tl::unexpected(failed("the audio cannot be encoded"));
    }
    std::string encoded;
    for (std::int64_t at = 0; at < size_;) {
      if (stop_()) return false;
      auto piece = read_raw(at);
      if (!piece) return tl::unexpected(piece.error());
      at += static_cast<std::int64_t>(piece->size());
      encoded.clear();
      if (!encoder)
        encoded = *std::move(piece);
      else if (!encoder->encode(*piece, encoded) || (at == size_ && !encoder->finish(encoded)))
        return tl::unexpected(failed("the audio cannot be encoded"));
      if (!out.append(encoded)) return tl::unexpected(failed_call());
    }
    if (!out.finish()) return tl::unexpected(failed_call());
    return true;
  }

  tl::expected<std::string, Trouble> read_raw(std::int64_t at) const {
    std::string piece(static_cast<std::size_t>(std::min<std::int64_t>(
                          static_cast<std::int64_t>(piece_bytes), size_ - at)),
                      '\0');
    const std::int64_t got = raw_.read(static_cast<std::uint64_t>(at), piece.data(), piece.size());
    if (got < 0) return tl::unexpected(system_trouble(raw_path_.filename().string()));
    if (got < static_cast<std::int64_t>(piece.size()))
      return tl::unexpected(failed("the raw file has become shorter"));
    return piece;
  }

  /// Reads the new file to its end. Of Opus only the number of samples is compared. False: it was
  /// stopped.
  tl::expected<bool, Trouble> compare() const {
    auto reader = TrackReader::open_file(unfinished_, form_, order_.track, key_ ? &*key_ : nullptr);
    if (!reader) return tl::unexpected(reader.error());
    TrackReader& archive = **reader;
    if (archive.size() != size_)
      return tl::unexpected(failed("the archive has " + std::to_string(archive.size()) +
                                   " bytes of audio, not " + std::to_string(size_)));
    for (std::int64_t at = 0; at < size_;) {
      if (stop_()) return false;
      const auto wanted = read_raw(at);
      if (!wanted) return tl::unexpected(wanted.error());
      const auto found = archive.read(at, wanted->size());
      if (!found) return tl::unexpected(failed(archive.error()));
      if (found->size() != wanted->size() || (!archive.is_lossy() && *found != *wanted))
        return tl::unexpected(failed("the archive differs from the raw file"));
      at += static_cast<std::int64_t>(wanted->size());
    }
    return true;
  }

  tl::expected<ArchivedTrack, Trouble> remove_raw(std::uint64_t archive_bytes) {
    // The new name first: a power cut must not leave neither of the two.
    if (!sync_folder(folder_)) return tl::unexpected(failed_call());
    std::error_code ec;
    fs::remove(raw_path_, ec);
    if (ec) return tl::unexpected(failed(ec.message()));
    return ArchivedTrack{static_cast<std::uint64_t>(size_), archive_bytes};
  }

  const ArchiveOrder& order_;
  const std::function<bool()>& stop_;
  const DiskFile raw_;
  const fs::path raw_path_;
  const fs::path unfinished_;
  const fs::path folder_;
  const std::int64_t size_;
  const Coding coding_;
  const Form form_;
  std::optional<SessionKey> key_;
};

}  // namespace

Coding coding_of(const std::vector<transcript::AudioPlaced>& runs, transcript::AudioTrack track,
                 std::optional<audio::Format> wanted) {
  int rate = 0;
  for (const transcript::AudioPlaced& run : runs) {
    if (run.track != track || run.format.encoding == transcript::AudioEncoding::none) continue;
    if (run.format.encoding != transcript::AudioEncoding::pcm16) return {};
    if (rate != 0 && rate != run.format.rate) return {};
    // After an odd number of bytes the pairs of a file are not samples: only FLAC keeps them.
    if (run.from % 2 != 0 && wanted == audio::Format::opus) return {};
    rate = run.format.rate;
  }
  const bool fits = wanted == audio::Format::opus ? audio::opus_keeps_rate(rate)
                                                  : rate > 0 && rate <= flac_rate_max;
  if (!wanted || !fits) return {};
  return {wanted, rate};
}

bool has_archive(const Coding& coding, const MasterKeys& masters) {
  return coding.format.has_value() || !masters.empty();
}

tl::expected<ArchivedTrack, Trouble> archive_track(const ArchiveOrder& order,
                                                   const std::function<bool()>& stop) {
  DiskFile raw = DiskFile::open(file_of(order.directory, order.track, Form::raw));
  if (raw) return Work(order, stop, std::move(raw)).run();
  if (errno == ENOENT) return ArchivedTrack{};
  return tl::unexpected(system_trouble(track_name(order.track)));
}

}  // namespace verbatim::recording
