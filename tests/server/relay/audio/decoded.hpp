// Decodes FLAC and Ogg Opus with the libraries of their makers.
#pragma once

#include <FLAC/stream_decoder.h>
#include <opusfile.h>

#include <catch2/catch.hpp>
#include <cstdint>
#include <cstring>
#include <memory>
#include <string>
#include <vector>

namespace verbatim::test {

struct Decoded {
  bool good = true;
  int rate = 0;
  int channels = 0;
  std::uint64_t announced = 0;  ///< frames by the head
  std::vector<int> samples;     ///< those of one frame side by side
  std::size_t frames() const {
    return channels == 0 ? 0 : samples.size() / static_cast<std::size_t>(channels);
  }
};

namespace flac_reader {

struct Reading {
  const std::string& file;
  std::size_t at = 0;
  Decoded decoded = {};
};

inline FLAC__StreamDecoderReadStatus read(const FLAC__StreamDecoder*, FLAC__byte* into,
                                          std::size_t* count, void* self) {
  auto& reading = *static_cast<Reading*>(self);
  *count = std::min(*count, reading.file.size() - reading.at);
  std::memcpy(into, reading.file.data() + reading.at, *count);
  reading.at += *count;
  return *count == 0 ? FLAC__STREAM_DECODER_READ_STATUS_END_OF_STREAM
                     : FLAC__STREAM_DECODER_READ_STATUS_CONTINUE;
}

inline FLAC__StreamDecoderWriteStatus write(const FLAC__StreamDecoder*, const FLAC__Frame* frame,
                                            const FLAC__int32* const* channels, void* self) {
  Decoded& decoded = static_cast<Reading*>(self)->decoded;
  for (std::uint32_t i = 0; i < frame->header.blocksize; ++i)
    for (std::uint32_t one = 0; one < frame->header.channels; ++one)
      decoded.samples.push_back(channels[one][i]);
  return FLAC__STREAM_DECODER_WRITE_STATUS_CONTINUE;
}

inline void head(const FLAC__StreamDecoder*, const FLAC__StreamMetadata* metadata, void* self) {
  Decoded& decoded = static_cast<Reading*>(self)->decoded;
  if (metadata->type != FLAC__METADATA_TYPE_STREAMINFO) return;
  decoded.rate = static_cast<int>(metadata->data.stream_info.sample_rate);
  decoded.channels = static_cast<int>(metadata->data.stream_info.channels);
  decoded.announced = metadata->data.stream_info.total_samples;
}

inline void error(const FLAC__StreamDecoder*, FLAC__StreamDecoderErrorStatus, void* self) {
  static_cast<Reading*>(self)->decoded.good = false;
}

}  // namespace flac_reader

inline Decoded decode_flac(const std::string& file) {
  flac_reader::Reading reading{file};
  const std::unique_ptr<FLAC__StreamDecoder, void (*)(FLAC__StreamDecoder*)> decoder(
      FLAC__stream_decoder_new(), FLAC__stream_decoder_delete);
  REQUIRE(FLAC__stream_decoder_init_stream(decoder.get(), flac_reader::read, nullptr, nullptr,
                                           nullptr, nullptr, flac_reader::write, flac_reader::head,
                                           flac_reader::error,
                                           &reading) == FLAC__STREAM_DECODER_INIT_STATUS_OK);
  reading.decoded.good &= FLAC__stream_decoder_process_until_end_of_stream(decoder.get()) != 0;
  return reading.decoded;
}

/// At 48 kHz, also if the samples had another rate.
inline Decoded decode_opus(const std::string& file) {
  Decoded decoded;
  int failed = 0;
  const std::unique_ptr<OggOpusFile, void (*)(OggOpusFile*)> opus(
      op_open_memory(reinterpret_cast<const unsigned char*>(file.data()), file.size(), &failed),
      op_free);
  decoded.good = opus != nullptr;
  if (!opus) return decoded;
  decoded.rate = static_cast<int>(op_head(opus.get(), -1)->input_sample_rate);
  decoded.channels = op_channel_count(opus.get(), -1);
  decoded.announced = static_cast<std::uint64_t>(op_pcm_total(opus.get(), -1));
  std::vector<opus_int16> some(5760 * 2);
  while (true) {
    const int frames = op_read(opus.get(), some.data(), static_cast<int>(some.size()), nullptr);
    decoded.good &= frames >= 0;
    if (frames <= 0) return decoded;
    decoded.samples.insert(decoded.samples.end(), some.begin(),
                           some.begin() + frames * decoded.channels);
  }
}

}  // namespace verbatim::test
