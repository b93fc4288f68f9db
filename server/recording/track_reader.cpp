#include "server/recording/track_reader.hpp"

#include <algorithm>
#include <utility>

#include "server/relay/audio/samples.hpp"

namespace verbatim::recording {

namespace {

class PlainSource final : public audio::ByteSource {
 public:
  PlainSource(DiskFile file, std::string name)
      : file_(std::move(file)), name_(std::move(name)), size_(file_.size()) {}

  std::uint64_t size() const override {
    return static_cast<std::uint64_t>(std::max<std::int64_t>(0, size_));
  }
  std::int64_t read(std::uint64_t offset, char* into, std::size_t count) override {
    const std::int64_t got = file_.read(offset, into, count);
    error_ = got < 0 ? system_trouble(name_).why : "";
    return got;
  }
  std::string error() const override { return error_; }

 private:
  const DiskFile file_;
  const std::string name_;
  const std::int64_t size_;
  std::string error_;
};

Content content_of(Form form) {
  return form == Form::flac ? Content::flac : form == Form::opus ? Content::opus : Content::pcm;
}

}  // namespace

tl::expected<std::unique_ptr<TrackReader>, Trouble> TrackReader::open_file(
    const std::filesystem::path& path, Form form, const Track& track, const SessionKey* key) {
  const std::string name = path.filename().string();
  DiskFile file = DiskFile::open(path);
  if (!file) return tl::unexpected(system_trouble(name));
  std::unique_ptr<audio::ByteSource> source;
  Content content = content_of(form);
  if (form == Form::sealed) {
    auto sealed = SealedReader::open(std::move(file), name, *key, track_name(track));
    if (!sealed) return tl::unexpected(std::move(sealed).error());
    content = (*sealed)->content();
    source = *std::move(sealed);
  } else {
    source = std::make_unique<PlainSource>(std::move(file), name);
  }
  std::unique_ptr<TrackReader> made(new TrackReader(name, std::move(source), content));
  if (!made->begin()) return tl::unexpected(Trouble{TroubleKind::damaged, made->error()});
  return made;
}

tl::expected<std::unique_ptr<TrackReader>, Trouble> TrackReader::open(
    const std::filesystem::path& directory, const Track& track, const MasterKeys& masters) {
  for (const Form form : archive_forms) {
    const std::filesystem::path path = file_of(directory, track, form);
    std::error_code ec;
    if (!std::filesystem::exists(path, ec)) continue;
    if (form != Form::sealed) return open_file(path, form, track, nullptr);
    auto key = read_session_key(directory, track.session_id, masters);
    if (!key && key.error().kind == TroubleKind::none_there)
      return tl::unexpected(
          Trouble{TroubleKind::damaged, "session.key is gone, and the encrypted audio needs it"});
    if (!key) return tl::unexpected(std::move(key).error());
    return open_file(path, form, track, &*key);
  }
  return tl::unexpected(Trouble{TroubleKind::none_there, "there is no archive"});
}

bool TrackReader::begin() {
  size_ = static_cast<std::int64_t>(source_->size());
  if (content_ == Content::pcm) return true;
  decoder_ = audio::make_decoder(
      content_ == Content::flac ? audio::Format::flac : audio::Format::opus, *source_);
  if (!decoder_) return false;
  size_ = static_cast<std::int64_t>(decoder_->samples() * audio::sample_bytes);
  return true;
}

std::optional<std::string> TrackReader::read(std::int64_t from, std::size_t count) {
  if (from >= size_) return std::string();
  count = static_cast<std::size_t>(
      std::min<std::uint64_t>(count, static_cast<std::uint64_t>(size_ - from)));
  position_ = from + static_cast<std::int64_t>(count);
  const auto first = static_cast<std::uint64_t>(from);
  if (decoder_) {
    const auto skip = static_cast<std::size_t>(first % audio::sample_bytes);
    auto bytes = decoder_->read(first / audio::sample_bytes,
                                (skip + count + audio::sample_bytes - 1) / audio::sample_bytes);
    if (!bytes || bytes->size() < skip + count) return std::nullopt;
    if (skip == 0 && bytes->size() == count) return bytes;
    return bytes->substr(skip, count);
  }
  std::string bytes(count, '\0');
  const std::int64_t got = source_->read(first, bytes.data(), count);
  if (got < 0) return std::nullopt;
  bytes.resize(static_cast<std::size_t>(got));
  return bytes;
}

std::string TrackReader::error() const {
  const std::string why = source_->error();
  return why.empty() ? name_ + " is damaged: it cannot be decoded" : why;
}

}  // namespace verbatim::recording
