#include "server/recording/recorded_tracks.hpp"

#include <algorithm>
#include <cerrno>
#include <utility>

#include "server/recording/disk_file.hpp"

namespace verbatim::recording {

namespace fs = std::filesystem;

std::optional<std::int64_t> RecordedTracks::raw_bytes(const Track& track) const {
  std::error_code none_there;
  const auto size = fs::file_size(file_of(directory_, track, Form::raw), none_there);
  if (none_there) return std::nullopt;
  return static_cast<std::int64_t>(size);
}

tl::expected<RecordedTracks::Size, Trouble> RecordedTracks::measure(const Track& track) const {
  if (const auto raw = raw_bytes(track)) return Size{*raw, false};
  const auto archive = TrackReader::open(directory_, track, masters_);
  if (archive) return Size{(*archive)->size(), (*archive)->is_lossy()};
  if (archive.error().kind == TroubleKind::none_there) return Size{};
  return tl::unexpected(archive.error());
}

bool RecordedTracks::exists(const Track& track) const {
  // The raw file first: it goes only when the archive stands.
  std::error_code ec;
  if (fs::exists(file_of(directory_, track, Form::raw), ec)) return true;
  return std::any_of(std::begin(archive_forms), std::end(archive_forms),
                     [&](Form form) { return fs::exists(file_of(directory_, track, form), ec); });
}

tl::expected<std::string, Trouble> RecordedTracks::read(const Track& track, std::int64_t from,
                                                        std::size_t count) {
  const fs::path raw = file_of(directory_, track, Form::raw);
  const DiskFile file = DiskFile::open(raw);
  if (!file && errno == ENOENT) return read_archive(track, from, count);
  std::string bytes(count, '\0');
  const std::int64_t got =
      file ? file.read(static_cast<std::uint64_t>(from), bytes.data(), count) : -1;
  if (got < 0) return tl::unexpected(system_trouble(raw.filename().string()));
  bytes.resize(static_cast<std::size_t>(got));
  return bytes;
}

tl::expected<std::string, Trouble> RecordedTracks::read_archive(const Track& track,
                                                                std::int64_t from,
                                                                std::size_t count) {
  std::uint64_t forgotten = 0;
  Reader reader = take(track, from, forgotten);
  if (!reader) {
    auto opened = TrackReader::open(directory_, track, masters_);
    if (!opened) return tl::unexpected(std::move(opened).error());
    reader = *std::move(opened);
  }
  auto bytes = reader->read(from, count);
  if (!bytes) return tl::unexpected(Trouble{TroubleKind::damaged, reader->error()});
  put_back(track, std::move(reader), forgotten);
  return *std::move(bytes);
}

/// The one that goes on from here; null: none does.
RecordedTracks::Reader RecordedTracks::take(const Track& track, std::int64_t position,
                                            std::uint64_t& forgotten) {
  const std::lock_guard lock(mutex_);
  forgotten = forgotten_;
  const auto found = std::find_if(open_.begin(), open_.end(), [&](const Open& one) {
    return one.track == track && one.reader->position() == position;
  });
  if (found == open_.end()) return nullptr;
  Reader reader = std::move(found->reader);
  open_.erase(found);
  return reader;
}

void RecordedTracks::put_back(const Track& track, Reader reader, std::uint64_t forgotten) {
  const std::lock_guard lock(mutex_);
  // It may be of a session that was erased meanwhile: its file must not stay open.
  if (forgotten != forgotten_) return;
  open_.push_back({track, std::move(reader), std::chrono::steady_clock::now()});
  if (open_.size() > kept_open_max) open_.pop_front();
}

void RecordedTracks::close_idle(std::chrono::milliseconds idle) {
  const auto before = std::chrono::steady_clock::now() - idle;
  const std::lock_guard lock(mutex_);
  std::erase_if(open_, [&](const Open& one) { return one.used <= before; });
}

void RecordedTracks::forget(const std::string& session_id) {
  const std::lock_guard lock(mutex_);
  ++forgotten_;
  std::erase_if(open_, [&](const Open& one) { return one.track.session_id == session_id; });
}

}  // namespace verbatim::recording
