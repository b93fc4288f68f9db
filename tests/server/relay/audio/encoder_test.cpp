// Encoded audio, decoded again: FLAC has the same samples, Opus the same words at the same places.
#include "server/relay/audio/encoder.hpp"

#include <algorithm>
#include <catch2/catch.hpp>
#include <cmath>
#include <cstdint>
#include <numbers>
#include <random>
#include <string>
#include <vector>

#include "tests/server/relay/audio/decoded.hpp"

namespace verbatim::audio {

using test::decode_flac;
using test::decode_opus;
using test::Decoded;

namespace {

using Samples = std::vector<int>;

std::string bytes_of(const Samples& samples) {
  std::string out;
  for (const int sample : samples) {
    out.push_back(static_cast<char>(sample));
    out.push_back(static_cast<char>(sample >> 8));
  }
  return out;
}

struct Encoded {
  bool good = true;
  std::string file;
  std::size_t longest = 0;  ///< bytes that one piece of samples gave
};

/// Encodes in pieces of `frames` frames.
Encoded encode(Format format, const Samples& samples, Shape shape, std::size_t frames = 4096) {
  const auto channels = static_cast<std::size_t>(shape.channels);
  shape.frames = samples.size() / channels;
  const std::string pcm = bytes_of(samples);
  const auto encoder = make_encoder(format, shape);
  REQUIRE(encoder);
  Encoded encoded;
  const std::size_t piece = frames * channels * 2;
  for (std::size_t at = 0; at < pcm.size(); at += piece) {
    std::string out;
    encoded.good &= encoder->encode(std::string_view(pcm).substr(at, piece), out);
    encoded.longest = std::max(encoded.longest, out.size());
    encoded.file += out;
  }
  encoded.good &= encoder->finish(encoded.file);
  return encoded;
}

Samples noise(std::size_t count, int loudest) {
  std::mt19937 random(7);
  std::uniform_int_distribution<int> sample(-loudest - 1, loudest);
  Samples out(count);
  for (int& one : out) one = sample(random);
  return out;
}

struct Word {
  std::size_t channel;
  double hertz;
  double from;
  double to;  ///< seconds
};

Samples spoken(const Shape& shape, double seconds, const std::vector<Word>& words) {
  const auto channels = static_cast<std::size_t>(shape.channels);
  const auto frame = [&](double time) { return static_cast<std::size_t>(time * shape.rate); };
  Samples out(frame(seconds) * channels);
  for (const Word& word : words)
    for (std::size_t i = frame(word.from); i < frame(word.to); ++i)
      out[i * channels + word.channel] = static_cast<int>(
          8000 * std::sin(2 * std::numbers::pi * word.hertz * static_cast<double>(i) / shape.rate));
  return out;
}

/// How strong a frequency is in a channel between two times (Goertzel): about half of its
/// amplitude.
double strength(const Decoded& decoded, int rate, std::size_t channel, double hertz, double from,
                double to) {
  const double factor = 2 * std::cos(2 * std::numbers::pi * hertz / rate);
  double one = 0;
  double two = 0;
  const auto first = static_cast<std::size_t>(from * rate);
  const auto last = static_cast<std::size_t>(to * rate);
  for (std::size_t i = first; i < last; ++i) {
    const auto at = i * static_cast<std::size_t>(decoded.channels) + channel;
    const double sample = at < decoded.samples.size() ? decoded.samples[at] : 0;
    const double now = sample + factor * one - two;
    two = one;
    one = now;
  }
  const double square = one * one + two * two - factor * one * two;
  return std::sqrt(std::max(0.0, square)) / static_cast<double>(last - first);
}

constexpr int opus_rate = 48'000;

}  // namespace

TEST_CASE("FLAC gives back the samples exactly, in pieces of any size", "[recording][P15]") {
  const Shape shape = GENERATE(Shape{24000, 1}, Shape{24000, 2}, Shape{8000, 1}, Shape{16000, 2},
                               Shape{22051, 1}, Shape{44100, 2}, Shape{192000, 1});
  const std::size_t piece = GENERATE(1U, 4095U, 4096U, 10'000U);
  const Samples samples = noise(static_cast<std::size_t>(shape.channels) * 9001, 3000);
  const Encoded encoded = encode(Format::flac, samples, shape, piece);
  CHECK(encoded.good);
  const Decoded decoded = decode_flac(encoded.file);
  CHECK(decoded.good);
  CHECK(decoded.rate == shape.rate);
  CHECK(decoded.channels == shape.channels);
  CHECK(decoded.announced == 9001);
  CHECK((decoded.samples == samples));
}

TEST_CASE("FLAC gives back the loudest and the quietest samples", "[recording][P15]") {
  Samples samples(20'000);
  SECTION("silence") {}
  SECTION("full scale") {
    for (std::size_t i = 0; i < samples.size(); ++i) samples[i] = i % 3 == 0 ? 32767 : -32768;
  }
  SECTION("noise, which cannot be compressed") { samples = noise(20'000, 32767); }
  SECTION("one sample") { samples = {-1}; }
  const Encoded encoded = encode(Format::flac, samples, {24000, 1});
  const Decoded decoded = decode_flac(encoded.file);
  CHECK((encoded.good && decoded.good));
  CHECK((decoded.samples == samples));
}

TEST_CASE("FLAC without its end is known to be cut", "[recording][P6]") {
  const Samples samples = noise(24'000, 3000);
  const Encoded encoded = encode(Format::flac, samples, {24000, 1});
  const Decoded decoded = decode_flac(encoded.file.substr(0, encoded.file.size() / 2));
  CHECK(decoded.announced == 24'000);
  CHECK(decoded.frames() < 24'000);
}

TEST_CASE("encoded audio leaves piece by piece: little is kept back", "[recording]") {
  const Format format = GENERATE(Format::flac, Format::opus);
  const std::size_t frames = 8192;
  const Encoded encoded = encode(format, noise(60 * 24'000 * 2, 32767), {24000, 2}, frames);
  CHECK(encoded.longest > 0);
  CHECK(encoded.longest < 64 * 1024);
  CHECK(encoded.longest < encoded.file.size() / 20);
}

TEST_CASE("Opus is as long as the audio, within 40 ms, for every rate", "[recording][P15]") {
  const Shape shape = GENERATE(Shape{24000, 1}, Shape{24000, 2}, Shape{8000, 1}, Shape{16000, 1},
                               Shape{44100, 2}, Shape{1000, 1});
  const double seconds = GENERATE(0.0, 0.005, 1.0, 3.337);
  const auto frames = static_cast<std::size_t>(seconds * shape.rate) + 1;
  const Encoded encoded =
      encode(Format::opus, noise(frames * static_cast<std::size_t>(shape.channels), 3000), shape);
  CHECK(encoded.good);
  const Decoded decoded = decode_opus(encoded.file);
  CHECK(decoded.good);
  CHECK(decoded.rate == shape.rate);
  CHECK(decoded.channels == shape.channels);
  const double length = static_cast<double>(decoded.frames()) / opus_rate;
  CHECK(std::abs(length - static_cast<double>(frames) / shape.rate) <= 0.040);
  CHECK(decoded.announced == decoded.frames());
}

TEST_CASE("Opus has each word at its place, and in its speaker's channel", "[recording][P15]") {
  const Shape shape{GENERATE(8000, 24000), 2};
  const std::vector<Word> words{
      {0, 400, 0.5, 1.5}, {1, 1000, 2, 3}, {0, 600, 4, 5}, {1, 1500, 4.5, 5.5}};
  const Encoded encoded = encode(Format::opus, spoken(shape, 6, words), shape);
  const Decoded decoded = decode_opus(encoded.file);
  REQUIRE((encoded.good && decoded.good));
  for (const Word& word : words) {
    const auto there = [&](std::size_t channel, double from, double to) {
      return strength(decoded, opus_rate, channel, word.hertz, from, to);
    };
    CAPTURE(word.hertz);
    CHECK(there(word.channel, word.from, word.from + 0.08) > 1500);
    CHECK(there(word.channel, word.to - 0.08, word.to) > 1500);
    CHECK(there(word.channel, word.from - 0.12, word.from - 0.04) < 200);
    CHECK(there(word.channel, word.to + 0.04, word.to + 0.12) < 200);
    CHECK(there(1 - word.channel, word.from, word.to) <
          40);  // the other speaker says nothing of it
  }
}

TEST_CASE("Opus is a twentieth of the samples, or less", "[recording]") {
  const Shape shape{24000, 2};
  const std::vector<Word> words{{0, 400, 0, 10}, {1, 1000, 10, 20}};
  const Samples samples = spoken(shape, 20, words);
  const Encoded encoded = encode(Format::opus, samples, shape);
  CHECK(encoded.file.size() * 8 / 20 < 56'000);  // bits a second: twice 24,000, and the container
}

TEST_CASE("the same audio gives the same file", "[recording]") {
  const Format format = GENERATE(Format::flac, Format::opus);
  const Samples samples = noise(48'000, 3000);
  CHECK(encode(format, samples, {24000, 2}).file == encode(format, samples, {24000, 2}, 777).file);
}

TEST_CASE("a shape that cannot be encoded gives no encoder", "[recording][P11]") {
  const Format format = GENERATE(Format::flac, Format::opus);
  CHECK_FALSE(make_encoder(format, {0, 1, 0}));
  CHECK_FALSE(make_encoder(format, {-8000, 1, 0}));
  CHECK_FALSE(make_encoder(format, {24000, 0, 0}));
}

}  // namespace verbatim::audio
