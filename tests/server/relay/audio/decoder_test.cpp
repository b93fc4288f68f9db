// Decoders of archived audio: any part of a file, in any order.
#include "server/relay/audio/decoder.hpp"

#include <algorithm>
#include <catch2/catch.hpp>
#include <cmath>
#include <cstring>
#include <random>
#include <string>

#include "server/relay/audio/samples.hpp"

namespace verbatim::audio {

namespace {

class Memory final : public ByteSource {
 public:
  explicit Memory(std::string bytes) : bytes_(std::move(bytes)) {}
  std::uint64_t size() const override { return bytes_.size(); }
  std::int64_t read(std::uint64_t offset, char* into, std::size_t count) override {
    ++reads;
    given += count;
    if (fails) return -1;
    const std::size_t from = std::min<std::size_t>(offset, bytes_.size());
    const std::size_t some = std::min(count, bytes_.size() - from);
    std::memcpy(into, bytes_.data() + from, some);
    return static_cast<std::int64_t>(some);
  }
  std::string error() const override { return fails ? "it fails" : ""; }

  bool fails = false;
  std::size_t reads = 0;
  std::size_t given = 0;

 private:
  std::string bytes_;
};

std::string spoken_pcm(std::size_t samples, int rate) {
  std::string out;
  for (std::size_t i = 0; i < samples; ++i) {
    const double time = static_cast<double>(i) / rate;
    append_sample(static_cast<std::int32_t>(6000 * std::sin(time * 2000 + 3 * std::sin(time * 7))),
                  out);
  }
  return out;
}

std::string encoded(Format format, const std::string& pcm, int rate) {
  const auto encoder = make_encoder(format, {rate, 1, pcm.size() / sample_bytes});
  REQUIRE(encoder);
  std::string file;
  for (std::size_t at = 0; at < pcm.size(); at += 60'000)
    REQUIRE(encoder->encode(std::string_view(pcm).substr(at, 60'000), file));
  REQUIRE(encoder->finish(file));
  return file;
}

std::string whole(Decoder& decoder) {
  std::string all;
  while (all.size() < decoder.samples() * sample_bytes) {
    const auto part = decoder.read(all.size() / sample_bytes, 7000);
    REQUIRE(part);
    REQUIRE_FALSE(part->empty());
    all += *part;
  }
  return all;
}

}  // namespace

TEST_CASE("an archive has as many samples as the audio, at its rate", "[recording][P15]") {
  const Format format = GENERATE(Format::flac, Format::opus);
  const int rate = GENERATE(8000, 12000, 16000, 24000, 48000);
  const std::size_t samples = GENERATE(1U, 2U, 239U, 961U, 24'000U, 60'001U);
  Memory source(encoded(format, spoken_pcm(samples, rate), rate));
  const auto decoder = make_decoder(format, source);
  REQUIRE(decoder);
  CHECK(decoder->rate() == rate);
  CHECK(decoder->samples() == samples);
  CHECK(whole(*decoder).size() == samples * sample_bytes);
  CHECK(decoder->read(samples, 5)->empty());
  CHECK(decoder->read(samples + 7, 5)->empty());
}

TEST_CASE("FLAC gives back every sample, and Opus nearly", "[recording][P15]") {
  const std::string pcm = spoken_pcm(24'000 * 25, 24000);
  Memory flac(encoded(Format::flac, pcm, 24000));
  CHECK((whole(*make_decoder(Format::flac, flac)) == pcm));
  Memory opus(encoded(Format::opus, pcm, 24000));
  const std::string heard = whole(*make_decoder(Format::opus, opus));
  double error = 0;
  double power = 0;
  for (std::size_t i = 0; i < pcm.size() / 2; ++i) {
    const double sample = sample_at(pcm, i);
    error += std::pow(sample - sample_at(heard, i), 2);
    power += std::pow(sample, 2);
  }
  CHECK(error < power / 50);
}

TEST_CASE("equal reads give equal samples, in any order", "[recording][P15]") {
  const Format format = GENERATE(Format::flac, Format::opus);
  Memory source(encoded(format, spoken_pcm(24'000 * 34, 24000), 24000));
  const std::string all = whole(*make_decoder(format, source));
  const auto decoder = make_decoder(format, source);
  std::mt19937 random(3);
  for (int i = 0; i < 80; ++i) {
    const std::size_t from = random() % (24'000 * 34);
    const std::size_t count = random() % 30'000;
    const auto part = decoder->read(from, count);
    REQUIRE(part);
    CAPTURE(from, count);
    CHECK((*part == all.substr(from * 2, count * 2)));
  }
}

TEST_CASE("a read far in a long file reads little of it", "[recording][P12]") {
  const Format format = GENERATE(Format::flac, Format::opus);
  Memory source(encoded(format, spoken_pcm(24'000 * 240, 24000), 24000));
  const auto decoder = make_decoder(format, source);
  source.given = 0;
  REQUIRE(decoder->read(24'000 * 239, 24'000));
  CHECK(source.given < source.size() / 2);
}

TEST_CASE("damaged and unreadable archives give no samples", "[recording][P6]") {
  const Format format = GENERATE(Format::flac, Format::opus);
  const std::string file = encoded(format, spoken_pcm(24'000 * 20, 24000), 24000);
  Memory nothing("");
  CHECK_FALSE(make_decoder(format, nothing));
  Memory noise(std::string(10'000, 'x'));
  CHECK_FALSE(make_decoder(format, noise));
  Memory fails(file);
  const auto decoder = make_decoder(format, fails);
  REQUIRE(decoder);
  REQUIRE(decoder->read(0, 100));
  fails.fails = true;
  CHECK_FALSE(decoder->read(24'000 * 15, 100));
  std::string bad = file;
  for (std::size_t i = 0; i < 100; ++i)
    bad[bad.size() / 2 + i] = static_cast<char>(~bad[bad.size() / 2 + i]);
  Memory damaged(bad);
  const auto other = make_decoder(format, damaged);
  bool refused = !other;
  for (std::size_t at = 0; !refused && at < 24'000 * 20; at += 24'000)
    refused = !other->read(at, 24'000);
  CHECK(refused);
}

TEST_CASE("a file that was cut is not taken for a shorter one", "[recording][P6]") {
  const Format format = GENERATE(Format::flac, Format::opus);
  const std::string file = encoded(format, spoken_pcm(24'000 * 20, 24000), 24000);
  for (const std::size_t size :
       {file.size() - 1, file.size() / 2, file.size() / 3, std::size_t{200}}) {
    Memory cut(file.substr(0, size));
    const auto decoder = make_decoder(format, cut);
    CAPTURE(size);
    CHECK((!decoder || !decoder->read(24'000 * 19, 24'000)));
  }
}

TEST_CASE("two channels are not a track", "[recording]") {
  const Format format = GENERATE(Format::flac, Format::opus);
  const auto encoder = make_encoder(format, {24000, 2, 1000});
  std::string file;
  REQUIRE(encoder->encode(std::string(4000, '\0'), file));
  REQUIRE(encoder->finish(file));
  Memory source(file);
  CHECK_FALSE(make_decoder(format, source));
}

}  // namespace verbatim::audio
