// Audio that the simulator receives and sends.
#include <malloc.h>

#include <algorithm>
#include <catch2/catch.hpp>
#include <cmath>

#include "simulator/audio_format.hpp"
#include "simulator/conversation.hpp"
#include "simulator/script.hpp"
#include "simulator/voice.hpp"
#include "tests/simulator/client.hpp"

namespace verbatim::simulator::test {

namespace {

double loudness(const std::vector<std::int16_t>& samples) {
  double energy = 0;
  for (const std::int16_t sample : samples) energy += double{1} * sample * sample;
  return std::sqrt(energy / static_cast<double>(samples.size()));
}

Json output_format(const char* type) {
  return {{"audio", {{"output", {{"format", {{"type", type}}}}}}}};
}

std::vector<std::int16_t> answer_in(const char* type, AudioFormat format, std::size_t& bytes,
                                    std::size_t& characters) {
  Client client("gpt-realtime", {.pace = 0});
  client.update(output_format(type));
  client.respond();
  client.wait(0);
  std::string audio;
  for (const Json& delta : client.all("response.output_audio.delta")) {
    const std::string part = decoded(delta["delta"]);
    CHECK(part.size() <= static_cast<std::size_t>(format.bytes_in(250)));
    audio += part;
  }
  bytes = audio.size();
  characters = client.joined("response.output_audio_transcript.delta").size();
  std::vector<std::int16_t> samples;
  decode_audio(format, audio, samples);
  return samples;
}

}  // namespace

TEST_CASE("G.711 keeps every sample within its step", "[simulator]") {
  for (const AudioFormat format : {AudioFormat::mu_law, AudioFormat::a_law}) {
    for (int value = -32'000; value <= 32'000; value += 37) {
      const std::vector<std::int16_t> one(3, static_cast<std::int16_t>(value));
      std::vector<std::int16_t> back;
      decode_audio(format, encode_audio(format, one), back);
      REQUIRE(back.size() == 1);
      CHECK(std::abs(back[0] - value) <= 16 + std::abs(value) / 24);
    }
  }
  const std::vector<std::int16_t> quiet(3, 0);
  CHECK(encode_audio(AudioFormat::mu_law, quiet) == "\xff");
  CHECK(encode_audio(AudioFormat::a_law, quiet) == "\xd5");
}

TEST_CASE("an answer can be heard, and is as long as its words", "[simulator]") {
  struct Case {
    const char* type;
    AudioFormat format;
  };
  for (const Case& c :
       {Case{"audio/pcm", AudioFormat::pcm16}, Case{"audio/pcmu", AudioFormat::mu_law},
        Case{"audio/pcma", AudioFormat::a_law}}) {
    std::size_t bytes = 0;
    std::size_t characters = 0;
    const auto samples = answer_in(c.type, c.format, bytes, characters);
    INFO(c.type);
    REQUIRE(characters > 20);
    CHECK(static_cast<std::int64_t>(bytes) ==
          c.format.bytes_in(static_cast<std::int64_t>(characters) * 65));
    CHECK(loudness(samples) > 1'500);
    CHECK(loudness(samples) < 12'000);
    const auto peak = *std::max_element(samples.begin(), samples.end());
    CHECK(peak > 6'000);
    CHECK(peak < 32'000);
  }
}

TEST_CASE("the voice does not click and does not depend on how it is asked", "[simulator]") {
  const std::string text = "Hello, my name is Ann. How do you do?";
  Voice whole(text);
  const auto at_once = whole.speak(Voice::length_ms(text));
  Voice pieced(text);
  std::vector<std::int16_t> joined;
  for (std::int64_t ms = 0; ms < Voice::length_ms(text); ms += 5) {
    const auto part = pieced.speak(5);
    joined.insert(joined.end(), part.begin(), part.end());
  }
  CHECK(joined == at_once);
  CHECK(loudness(Voice("   ").speak(195)) < loudness(at_once) / 5);
}

TEST_CASE("G.711 from the client is heard as well", "[simulator]") {
  for (const auto& [type, format] :
       {std::pair{"audio/pcmu", AudioFormat::mu_law}, {"audio/pcma", AudioFormat::a_law}}) {
    std::vector<std::int16_t> samples;
    decode_audio(AudioFormat::pcm16, silence(500) + tone(2'000) + silence(500), samples);
    Client client;
    client.update({{"audio", {{"input", {{"format", {{"type", type}}}}}}}});
    client.microphone(encode_audio(format, samples), 8);
    CHECK(client.last("input_audio_buffer.speech_started")["audio_start_ms"] == 200);
    CHECK(client.last("input_audio_buffer.speech_stopped")["audio_end_ms"] == 2'700);
  }
}

TEST_CASE("answers do not repeat soon and are echoed within reason", "[simulator]") {
  const Script script(7);
  for (std::uint64_t i = 1; i < 100; ++i) CHECK(script.answer(i) != script.answer(i + 1));
  const std::string long_text(2'000, 'x');
  CHECK(Script::echo(long_text).size() < 500);
  std::string accents;
  for (int i = 0; i < 1'000; ++i) accents += "\xc3\xa9";
  CHECK(shortened(accents, 401).size() == 400);
}

TEST_CASE("the conversation forgets its oldest items, not its newest", "[P11][simulator]") {
  Conversation conversation;
  const auto item = [](std::size_t number, std::size_t size) {
    return ConversationItem{{{"id", "item_" + std::to_string(number)},
                             {"type", "message"},
                             {"text", std::string(size, 'x')}},
                            {},
                            0,
                            false,
                            0};
  };
  for (std::size_t i = 0; i < 3'000; ++i) conversation.append(item(i, 10));
  CHECK(conversation.size() == Conversation::most_items);
  CHECK(conversation.find("item_1999") == nullptr);
  CHECK(conversation.find("item_2000") != nullptr);
  CHECK(conversation.previous_of("item_2000").is_null());
  for (std::size_t i = 3'000; i < 3'010; ++i) conversation.append(item(i, 1U << 20U));
  CHECK(conversation.size() < 5);
  CHECK(conversation.last_id() == "item_3009");
}

TEST_CASE("three hours of talk need no more memory than two", "[P11][simulator]") {
  SimulatedConnection connection({.pace = 0}, "gpt-realtime+expire_after=20000000", 0);
  std::int64_t now = 0;
  const auto ignore = [&] {
    std::size_t bytes = 0;
    for (const Action& action : connection.take(now)) bytes += action.payload.size();
    return bytes;
  };
  connection.on_message(
      R"({"type":"session.update","session":{"type":"realtime","output_modalities":["text"],)"
      R"("audio":{"input":{"format":{"type":"audio/pcmu"},)"
      R"("transcription":{"model":"gpt-realtime-whisper"}}}}})",
      now);
  std::vector<std::int16_t> samples;
  decode_audio(AudioFormat::pcm16, tone(11'000) + silence(1'000), samples);
  const std::string turn = append_event(encode_audio(AudioFormat::mu_law, samples));
  std::size_t bytes = 0;
  const auto talk = [&](std::int64_t hours) {
    for (const std::int64_t end = now + hours * 3'600'000; now < end; now += 12'000) {
      connection.on_message(turn, now);
      bytes += ignore();
    }
    return mallinfo2().uordblks;
  };
  // By then the bounded conversation is full. (A sanitizer's allocator shows zeros here.)
  const auto before = talk(2);
  const auto after = talk(1);
  CHECK(bytes > 4'000'000);
  CHECK(after < before + 200'000);
}

}  // namespace verbatim::simulator::test
