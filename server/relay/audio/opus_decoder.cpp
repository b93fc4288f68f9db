#include "server/relay/audio/opus_decoder.hpp"

#include <opus.h>
#include <opusfile.h>

#include <algorithm>
#include <cmath>
#include <string_view>
#include <vector>

#include "server/relay/audio/samples.hpp"

namespace verbatim::audio {

namespace {

/// The library counts in samples of this rate, also if those that were encoded had another.
constexpr int library_rate = 48'000;
constexpr float full_scale = 32'768;
/// The longest packet.
constexpr std::size_t packet_samples_max = 5760;
/// Decoding begins again at each multiple of this. The samples depend a little on the place where
/// the decoder began, so equal reads must begin at the same places.
constexpr std::uint64_t cell_seconds = 10;

/// The longest page of an Ogg file.
constexpr std::size_t page_bytes_max = 27 + 255 + 255 * 255;
constexpr std::size_t page_head_bytes = 27;

/// Whether this is a page with the mark of the last one, and nothing else.
bool is_last_page(std::string_view page) {
  constexpr std::size_t flags_at = 5;
  constexpr unsigned last = 4;
  if (page.size() < page_head_bytes || !page.starts_with("OggS")) return false;
  const auto byte = [&](std::size_t at) { return static_cast<unsigned char>(page[at]); };
  const std::size_t segments = byte(page_head_bytes - 1);
  std::size_t size = page_head_bytes + segments;
  if (size > page.size()) return false;
  for (std::size_t i = 0; i < segments; ++i) size += byte(page_head_bytes + i);
  return size == page.size() && (byte(flags_at) & last) != 0;
}

/// Whether the file has its end. The library takes a file that was cut for a shorter one.
bool is_whole(ByteSource& source) {
  std::string tail(std::min<std::size_t>(source.size(), page_bytes_max), '\0');
  const std::int64_t got = source.read(source.size() - tail.size(), tail.data(), tail.size());
  if (got != static_cast<std::int64_t>(tail.size())) return false;
  for (std::size_t at = tail.rfind("OggS"); at != tail.npos;
       at = at == 0 ? tail.npos : tail.rfind("OggS", at - 1))
    if (is_last_page(std::string_view(tail).substr(at))) return true;
  return false;
}

/// The packets are decoded at the rate of the samples, not at the library's, so that no filter is
/// needed. Each sample is put into the library's buffer as often as it fits.
class OggOpusDecoder final : public Decoder {
 public:
  explicit OggOpusDecoder(ByteSource& source)
      : source_(source), file_(nullptr, op_free), decoder_(nullptr, opus_decoder_destroy) {
    if (!is_whole(source)) return;
    const OpusFileCallbacks calls{give, seek, position, nullptr};
    int error = 0;
    file_.reset(op_open_callbacks(this, &calls, nullptr, 0, &error));
    if (!file_ || op_link_count(file_.get()) != 1 || op_channel_count(file_.get(), 0) != 1) return;
    rate_ = static_cast<int>(op_head(file_.get(), 0)->input_sample_rate);
    const ogg_int64_t total = op_pcm_total(file_.get(), -1);
    if (!opus_keeps_rate(rate_) || total < 0) return;
    step_ = static_cast<std::uint64_t>(library_rate / rate_);
    samples_ = static_cast<std::uint64_t>(total) / step_;
    decoder_.reset(opus_decoder_create(rate_, 1, &error));
    op_set_decode_callback(file_.get(), decode, this);
  }

  bool ready() const { return decoder_ != nullptr; }
  int rate() const override { return rate_; }
  std::uint64_t samples() const override { return samples_; }

  std::optional<std::string> read(std::uint64_t first, std::size_t count) override {
    const std::uint64_t end =
        first + std::min<std::uint64_t>(count, samples_ - std::min(first, samples_));
    std::string out;
    while (first < end) {
      const std::uint64_t cell = first / cell_samples();
      const std::uint64_t until = std::min(end, (cell + 1) * cell_samples());
      if ((cell != cell_ || first < some_from_) && !begin(cell)) return std::nullopt;
      while (first < until) {
        if (first >= some_from_ + some_.size()) {
          if (!decode_more()) return std::nullopt;
          continue;
        }
        for (auto i = static_cast<std::size_t>(first - some_from_);
             i < some_.size() && first < until; ++i, ++first)
          append_sample(some_[i], out);
      }
    }
    return out;
  }

 private:
  static constexpr std::uint64_t no_cell = ~std::uint64_t{0};

  std::uint64_t cell_samples() const { return cell_seconds * static_cast<std::uint64_t>(rate_); }

  /// From the file's beginning to the cell: the library would else go on from where it is, if that
  /// is near.
  bool begin(std::uint64_t cell) {
    cell_ = no_cell;
    some_.clear();
    some_from_ = cell * cell_samples();
    at_ = some_from_ * step_;
    if (opus_decoder_ctl(decoder_.get(), OPUS_RESET_STATE) != OPUS_OK ||
        op_raw_seek(file_.get(), 0) != 0 ||
        op_pcm_seek(file_.get(), static_cast<ogg_int64_t>(at_)) != 0)
      return false;
    cell_ = cell;
    return true;
  }

  /// Replaces the decoded samples by those that follow. False: there are none.
  bool decode_more() {
    some_from_ += some_.size();
    some_.clear();
    const int got =
        op_read_float(file_.get(), room_.data(), static_cast<int>(room_.size()), nullptr);
    if (got <= 0) return false;
    for (int i = 0; i < got; ++i, ++at_)
      if (at_ % step_ == 0)
        some_.push_back(
            static_cast<opus_int16>(std::lround(room_[static_cast<std::size_t>(i)] * full_scale)));
    return true;
  }

  static OggOpusDecoder& self(void* one) { return *static_cast<OggOpusDecoder*>(one); }

  static int decode(void* one, OpusMSDecoder*, void* out, const ogg_packet* packet, int count,
                    int channels, int format, int) {
    OggOpusDecoder& here = self(one);
    if (format != OP_DEC_FORMAT_FLOAT || channels != 1) return OP_EINVAL;
    const auto step = static_cast<int>(here.step_);
    opus_int16 samples[packet_samples_max];
    const int got = opus_decode(here.decoder_.get(), packet->packet,
                                static_cast<opus_int32>(packet->bytes), samples, count / step, 0);
    if (got < 0) return got;
    auto* const to = static_cast<float*>(out);
    for (int i = 0; i < count; ++i)
      to[i] = i / step < got ? static_cast<float>(samples[i / step]) / full_scale : 0.0F;
    return 0;
  }

  static int give(void* one, unsigned char* into, int count) {
    OggOpusDecoder& here = self(one);
    const std::int64_t got = here.source_.read(here.byte_, reinterpret_cast<char*>(into),
                                               static_cast<std::size_t>(count));
    if (got > 0) here.byte_ += static_cast<std::uint64_t>(got);
    return static_cast<int>(got);
  }
  static int seek(void* one, opus_int64 by, int from) {
    OggOpusDecoder& here = self(one);
    const std::uint64_t base =
        from == SEEK_SET ? 0 : (from == SEEK_CUR ? here.byte_ : here.source_.size());
    here.byte_ = base + static_cast<std::uint64_t>(by);
    return 0;
  }
  static opus_int64 position(void* one) { return static_cast<opus_int64>(self(one).byte_); }

  ByteSource& source_;
  std::uint64_t byte_ = 0;
  int rate_ = 0;
  std::uint64_t step_ = 1;  ///< the library's samples for each of ours
  std::uint64_t samples_ = 0;
  std::uint64_t cell_ = no_cell;
  std::uint64_t at_ = 0;  ///< the library's next sample
  std::vector<opus_int16> some_;
  std::uint64_t some_from_ = 0;
  std::vector<float> room_ = std::vector<float>(packet_samples_max);
  std::unique_ptr<OggOpusFile, void (*)(OggOpusFile*)> file_;
  std::unique_ptr<OpusDecoder, void (*)(OpusDecoder*)> decoder_;
};

}  // namespace

bool opus_keeps_rate(int rate) {
  return rate == 8'000 || rate == 12'000 || rate == 16'000 || rate == 24'000 ||
         rate == library_rate;
}

std::unique_ptr<Decoder> make_opus_decoder(ByteSource& source) {
  auto made = std::make_unique<OggOpusDecoder>(source);
  if (!made->ready()) return nullptr;
  return made;
}

}  // namespace verbatim::audio
