#include "server/relay/audio/flac_decoder.hpp"

#include <FLAC/stream_decoder.h>

#include <algorithm>
#include <vector>

#include "server/relay/audio/samples.hpp"

namespace verbatim::audio {

namespace {

class FlacDecoder final : public Decoder {
 public:
  explicit FlacDecoder(ByteSource& source)
      : source_(source), decoder_(FLAC__stream_decoder_new(), FLAC__stream_decoder_delete) {
    ready_ = decoder_ != nullptr &&
             FLAC__stream_decoder_init_stream(decoder_.get(), give, seek, position, length,
                                              is_at_end, take, head, fail,
                                              this) == FLAC__STREAM_DECODER_INIT_STATUS_OK &&
             FLAC__stream_decoder_process_until_end_of_metadata(decoder_.get()) && !failed_ &&
             one_channel_ && samples_ > 0;
  }

  bool ready() const { return ready_; }
  int rate() const override { return rate_; }
  std::uint64_t samples() const override { return samples_; }

  std::optional<std::string> read(std::uint64_t first, std::size_t count) override {
    const std::uint64_t end =
        first + std::min<std::uint64_t>(count, samples_ - std::min(first, samples_));
    std::string out;
    out.reserve(static_cast<std::size_t>(end - std::min(first, end)) * sample_bytes);
    while (first < end) {
      if (!has(first) && !decode(first)) return std::nullopt;
      const auto skip = static_cast<std::size_t>(first - frame_from_);
      const auto some =
          static_cast<std::size_t>(std::min<std::uint64_t>(end - first, frame_.size() - skip));
      for (std::size_t i = skip; i < skip + some; ++i) append_sample(frame_[i], out);
      first += some;
    }
    return out;
  }

 private:
  bool has(std::uint64_t sample) const {
    return sample >= frame_from_ && sample < frame_from_ + frame_.size();
  }

  /// Makes the frame current that has this sample, or one that begins with it.
  bool decode(std::uint64_t sample) {
    const bool next = sample == frame_from_ + frame_.size() && begun_;
    const bool good = next ? FLAC__stream_decoder_process_single(decoder_.get())
                           : FLAC__stream_decoder_seek_absolute(decoder_.get(), sample);
    begun_ = true;
    return good && !failed_ && has(sample);
  }

  static FlacDecoder& self(void* one) { return *static_cast<FlacDecoder*>(one); }

  static FLAC__StreamDecoderReadStatus give(const FLAC__StreamDecoder*, FLAC__byte* into,
                                            std::size_t* count, void* one) {
    FlacDecoder& here = self(one);
    const std::int64_t got = here.source_.read(here.at_, reinterpret_cast<char*>(into), *count);
    if (got < 0) return FLAC__STREAM_DECODER_READ_STATUS_ABORT;
    here.at_ += static_cast<std::uint64_t>(got);
    *count = static_cast<std::size_t>(got);
    return got == 0 ? FLAC__STREAM_DECODER_READ_STATUS_END_OF_STREAM
                    : FLAC__STREAM_DECODER_READ_STATUS_CONTINUE;
  }
  static FLAC__StreamDecoderSeekStatus seek(const FLAC__StreamDecoder*, FLAC__uint64 to,
                                            void* one) {
    self(one).at_ = to;
    return FLAC__STREAM_DECODER_SEEK_STATUS_OK;
  }
  static FLAC__StreamDecoderTellStatus position(const FLAC__StreamDecoder*, FLAC__uint64* at,
                                                void* one) {
    *at = self(one).at_;
    return FLAC__STREAM_DECODER_TELL_STATUS_OK;
  }
  static FLAC__StreamDecoderLengthStatus length(const FLAC__StreamDecoder*, FLAC__uint64* bytes,
                                                void* one) {
    *bytes = self(one).source_.size();
    return FLAC__STREAM_DECODER_LENGTH_STATUS_OK;
  }
  static FLAC__bool is_at_end(const FLAC__StreamDecoder*, void* one) {
    return self(one).at_ >= self(one).source_.size();
  }
  static FLAC__StreamDecoderWriteStatus take(const FLAC__StreamDecoder*, const FLAC__Frame* frame,
                                             const FLAC__int32* const* channels, void* one) {
    FlacDecoder& here = self(one);
    if (frame->header.channels != 1) return FLAC__STREAM_DECODER_WRITE_STATUS_ABORT;
    here.frame_from_ = frame->header.number.sample_number;
    here.frame_.assign(channels[0], channels[0] + frame->header.blocksize);
    return FLAC__STREAM_DECODER_WRITE_STATUS_CONTINUE;
  }
  static void head(const FLAC__StreamDecoder*, const FLAC__StreamMetadata* metadata, void* one) {
    if (metadata->type != FLAC__METADATA_TYPE_STREAMINFO) return;
    FlacDecoder& here = self(one);
    const FLAC__StreamMetadata_StreamInfo& info = metadata->data.stream_info;
    here.rate_ = static_cast<int>(info.sample_rate);
    here.samples_ = info.total_samples;
    here.one_channel_ = info.channels == 1 && info.bits_per_sample == 8 * sample_bytes;
  }
  static void fail(const FLAC__StreamDecoder*, FLAC__StreamDecoderErrorStatus, void* one) {
    self(one).failed_ = true;
  }

  ByteSource& source_;
  std::uint64_t at_ = 0;
  int rate_ = 0;
  std::uint64_t samples_ = 0;
  bool one_channel_ = false;
  bool failed_ = false;
  bool ready_ = false;
  bool begun_ = false;
  std::vector<FLAC__int32> frame_;
  std::uint64_t frame_from_ = 0;
  std::unique_ptr<FLAC__StreamDecoder, void (*)(FLAC__StreamDecoder*)> decoder_;
};

}  // namespace

std::unique_ptr<Decoder> make_flac_decoder(ByteSource& source) {
  auto made = std::make_unique<FlacDecoder>(source);
  if (!made->ready()) return nullptr;
  return made;
}

}  // namespace verbatim::audio
