#include "server/relay/audio/opus_encoder.hpp"

#include <opusenc.h>

#include <vector>

#include "server/relay/audio/samples.hpp"

namespace verbatim::audio {

namespace {

/// Bits a second of each speaker: speech stays clear.
constexpr int opus_bitrate = 24'000;
/// Of ten. A higher one takes twice the time and sounds hardly better at this rate.
constexpr int opus_complexity = 5;
/// Any number: an Ogg file has one stream here. A random one would make equal files differ.
constexpr int opus_serial = 1;
constexpr int no_surround = 0;

class OggOpusEncoder final : public Encoder {
 public:
  explicit OggOpusEncoder(const Shape& shape)
      : channels_(static_cast<std::size_t>(shape.channels)),
        comments_(ope_comments_create(), ope_comments_destroy),
        encoder_(nullptr, ope_encoder_destroy) {
    if (!comments_) return;
    int error = OPE_OK;
    encoder_.reset(
        ope_encoder_create_pull(comments_.get(), shape.rate, shape.channels, no_surround, &error));
    ready_ = encoder_ != nullptr && error == OPE_OK &&
             ope_encoder_ctl(encoder_.get(), OPUS_SET_BITRATE(opus_bitrate * shape.channels)) ==
                 OPE_OK &&
             ope_encoder_ctl(encoder_.get(), OPUS_SET_COMPLEXITY(opus_complexity)) == OPE_OK &&
             ope_encoder_ctl(encoder_.get(), OPE_SET_SERIALNO(opus_serial)) == OPE_OK;
  }

  bool ready() const { return ready_; }

  bool encode(std::string_view frames, std::string& out) override {
    samples_.resize(frames.size() / sample_bytes);
    for (std::size_t i = 0; i < samples_.size(); ++i) samples_[i] = sample_at(frames, i);
    const int taken = ope_encoder_write(encoder_.get(), samples_.data(),
                                        static_cast<int>(samples_.size() / channels_));
    take_pages(out, false);
    return taken == OPE_OK;
  }

  bool finish(std::string& out) override {
    const int drained = ope_encoder_drain(encoder_.get());
    take_pages(out, true);
    return drained == OPE_OK;
  }

 private:
  /// A page has a second of audio; `all`: also the last one, which has less.
  void take_pages(std::string& out, bool all) {
    unsigned char* page = nullptr;
    opus_int32 bytes = 0;
    while (ope_encoder_get_page(encoder_.get(), &page, &bytes, all ? 1 : 0) != 0)
      out.append(reinterpret_cast<const char*>(page), static_cast<std::size_t>(bytes));
  }

  const std::size_t channels_;
  bool ready_ = false;
  std::vector<opus_int16> samples_;
  std::unique_ptr<OggOpusComments, void (*)(OggOpusComments*)> comments_;
  std::unique_ptr<OggOpusEnc, void (*)(OggOpusEnc*)> encoder_;
};

}  // namespace

std::unique_ptr<Encoder> make_opus_encoder(const Shape& shape) {
  auto made = std::make_unique<OggOpusEncoder>(shape);
  if (!made->ready()) return nullptr;
  return made;
}

}  // namespace verbatim::audio
