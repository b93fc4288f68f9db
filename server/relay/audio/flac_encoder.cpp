#include "server/relay/audio/flac_encoder.hpp"

#include <FLAC/stream_encoder.h>

#include <vector>

#include "server/relay/audio/samples.hpp"

namespace verbatim::audio {

namespace {

/// The encoder's default. A higher one takes more time for a few per cent fewer bytes.
constexpr unsigned flac_level = 5;

class FlacEncoder final : public Encoder {
 public:
  explicit FlacEncoder(const Shape& shape)
      : channels_(static_cast<std::size_t>(shape.channels)),
        encoder_(FLAC__stream_encoder_new(), FLAC__stream_encoder_delete) {
    const auto rate = static_cast<std::uint32_t>(shape.rate);
    ready_ = encoder_ != nullptr && FLAC__stream_encoder_set_channels(encoder_.get(), channels_) &&
             FLAC__stream_encoder_set_bits_per_sample(encoder_.get(), 8 * sample_bytes) &&
             FLAC__stream_encoder_set_sample_rate(encoder_.get(), rate) &&
             FLAC__stream_encoder_set_streamable_subset(encoder_.get(),
                                                        FLAC__format_sample_rate_is_subset(rate)) &&
             FLAC__stream_encoder_set_compression_level(encoder_.get(), flac_level) &&
             // The head is sent before the samples. It states their number, so that a decoder
             // notices a file that was cut. It has no digest, which is known too late.
             FLAC__stream_encoder_set_total_samples_estimate(encoder_.get(), shape.frames) &&
             FLAC__stream_encoder_init_stream(encoder_.get(), keep, nullptr, nullptr, nullptr,
                                              this) == FLAC__STREAM_ENCODER_INIT_STATUS_OK;
  }

  bool ready() const { return ready_; }

  bool encode(std::string_view frames, std::string& out) override {
    samples_.resize(frames.size() / sample_bytes);
    for (std::size_t i = 0; i < samples_.size(); ++i) samples_[i] = sample_at(frames, i);
    const bool taken = FLAC__stream_encoder_process_interleaved(
        encoder_.get(), samples_.data(), static_cast<std::uint32_t>(samples_.size() / channels_));
    return give(taken, out);
  }

  bool finish(std::string& out) override {
    return give(FLAC__stream_encoder_finish(encoder_.get()), out);
  }

 private:
  static FLAC__StreamEncoderWriteStatus keep(const FLAC__StreamEncoder*, const FLAC__byte* bytes,
                                             std::size_t count, std::uint32_t, std::uint32_t,
                                             void* self) {
    static_cast<FlacEncoder*>(self)->encoded_.append(reinterpret_cast<const char*>(bytes), count);
    return FLAC__STREAM_ENCODER_WRITE_STATUS_OK;
  }

  bool give(bool good, std::string& out) {
    out += encoded_;
    encoded_.clear();
    return good;
  }

  const std::size_t channels_;
  bool ready_ = false;
  std::vector<FLAC__int32> samples_;
  std::string encoded_;
  /// The last member: while it is deleted it still writes.
  std::unique_ptr<FLAC__StreamEncoder, void (*)(FLAC__StreamEncoder*)> encoder_;
};

}  // namespace

std::unique_ptr<Encoder> make_flac_encoder(const Shape& shape) {
  auto made = std::make_unique<FlacEncoder>(shape);
  if (!made->ready()) return nullptr;
  return made;
}

}  // namespace verbatim::audio
