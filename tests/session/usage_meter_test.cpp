// The duration of audio, from its bytes and the current format.
#include "session/usage_meter.hpp"

#include <catch2/catch.hpp>
#include <string>

#include "base/json/view.hpp"
#include "session/protocol/openai/audio_format.hpp"
#include "session/protocol/provider_dialects.hpp"
#include "tests/session/stage.hpp"

namespace verbatim::session::test {

namespace {

std::string append(std::size_t bytes) {
  // Complete groups of Base64: four characters for three bytes.
  return R"({"type":"input_audio_buffer.append","audio":")" + std::string(bytes / 3 * 4, 'A') +
         "\"}";
}

std::string session_event(const std::string& type, const std::string& input,
                          const std::string& output) {
  return R"({"type":")" + type + R"(","session":{"audio":{"input":{"format":)" + input +
         R"(},"output":{"format":)" + output + "}}}}";
}

std::string pcm_at(int rate) {
  return R"({"type":"audio/pcm","rate":)" + std::to_string(rate) + "}";
}

/// A meter that gets messages, as a session reads them for it.
struct MessageMeter : Meter {
  const protocol::ProviderDialect& provider = protocol::default_provider_dialect();

  void provider_shows(const std::string& message) {
    if (const auto formats = provider.read_server(message).formats) configured(*formats);
  }
  void client_says(const std::string& message) {
    const protocol::ClientMessage said = provider.check_client(message, {}, protocol::unlimited);
    if (said.request == protocol::ClientRequest::update_session)
      requested(provider.read_session(provider.session_in(message)).formats);
    client_sent(said.audio_bytes);
  }
};

constexpr const char* session_updated = "session.updated";

}  // namespace

TEST_CASE("audio is metered at any rate, without rounding it", "[P9][meter]") {
  for (const int rate : {8000, 11025, 16000, 22050, 24000, 32000, 44100, 48000, 96000}) {
    MessageMeter meter;
    meter.provider_shows(session_event(session_updated, pcm_at(rate), pcm_at(rate)));
    const auto second = static_cast<std::size_t>(rate) * 2;
    for (int i = 0; i < 600; ++i) {
      meter.client_says(append(second));
      meter.provider_sent({"item", 0, static_cast<std::int64_t>(second)});
    }
    INFO(rate);
    // Base64 comes in complete groups: at most two bytes more a message.
    CHECK(std::abs(meter.audio().input_ms - 600'000) <= 1 + 600 * 2 * 1000 / (rate * 2));
    CHECK(meter.audio().output_ms == 600'000);
  }
}

TEST_CASE("the provider's audio is metered with any ids", "[P9][meter]") {
  const std::string sound(64'000, 'A');  // a second at 24 kHz
  for (const char* ids :
       {R"("response_id":"r1","item_id":"a1","output_index":0,)", R"("response_id":"r1",)", "",
        R"("item_id":"a1",)", R"("output_index":0,)"}) {
    INFO(ids);
    Stage stage;
    stage.open();
    stage.provider(R"({"type":"response.created","response":{"id":"r1","output":[]}})");
    for (int i = 0; i < 3; ++i)
      stage.provider(std::string(R"({"type":"response.output_audio.delta",)") + ids +
                     R"("content_index":0,"delta":")" + sound + "\"}");
    stage.provider(R"({"type":"response.done","response":{"id":"r1","status":"completed"}})");
    std::int64_t metered = 0;
    for (const auto& row : stage.journal.rows)
      if (const auto* audio = std::get_if<transcript::AudioMetered>(&row.event.body))
        metered = audio->output_ms;
    CHECK(metered == 3000);
  }
}

TEST_CASE("a format gives the bytes of a second", "[P9][meter]") {
  const auto second = [](const char* format) {
    return protocol::bytes_per_second(verbatim::json::View::of(format));
  };
  CHECK(second(R"({"type":"audio/pcm","rate":44100})") == 88'200);
  CHECK(second(R"({"type":"audio/pcm"})") == 48'000);
  CHECK(second(R"({"type":"audio/pcmu"})") == 8'000);
  CHECK(second(R"({"type":"audio/pcma","rate":8000})") == 8'000);
  CHECK(second(R"("g711_ulaw")") == 8'000);
  CHECK(second(R"("pcm16")") == 48'000);
  CHECK(second(R"("not specified")") == 48'000);
  CHECK(second(R"({"type":"audio/pcm","rate":-5})") == 48'000);
  CHECK(second(R"({"type":"audio/pcm","rate":"16000"})") == 48'000);
  CHECK(protocol::bytes_per_ms(verbatim::json::View::of(R"({"type":"audio/pcm","rate":44100})")) ==
        88);
}

TEST_CASE("the client's format counts if the provider never names one", "[P9][meter]") {
  const std::string update = session_event("session.update", pcm_at(16000), pcm_at(48000));
  MessageMeter meter;
  meter.provider_shows(R"({"type":"session.created","id":"sess-1"})");
  meter.client_says(update);
  meter.client_says(append(32'000 * 3));
  CHECK(meter.audio().input_ms == 3'000);

  MessageMeter with_format;
  with_format.provider_shows(session_event("session.created", pcm_at(24000), pcm_at(24000)));
  with_format.client_says(update);  // it may be refused
  with_format.client_says(append(48'000 * 3));
  CHECK(with_format.audio().input_ms == 3'000);
}

TEST_CASE("a session event without formats leaves them as they are", "[P9][meter]") {
  MessageMeter meter;
  meter.provider_shows(session_event(session_updated, pcm_at(8000), pcm_at(8000)));
  meter.provider_shows(R"({"type":"session.updated","session":{"instructions":"x"}})");
  meter.provider_shows(
      R"({"type":"session.updated","session":{"audio":{"input":{},"output":{}}}})");
  meter.client_says(append(16'000 * 3));
  meter.provider_sent({"item", 0, 16'000});
  CHECK(meter.audio().input_ms == 3'000);
  CHECK(meter.audio().output_ms == 1'000);
}

}  // namespace verbatim::session::test
