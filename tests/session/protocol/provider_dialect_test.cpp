// A provider's dialect as the session and the server see it: found by name, asked as rarely as
// possible, and believed in what it can do.
#include "session/protocol/provider_dialect.hpp"

#include <array>
#include <catch2/catch.hpp>

#include "session/protocol/openai/openai_dialect.hpp"
#include "session/protocol/provider_dialects.hpp"
#include "tests/session/stage.hpp"

using namespace verbatim;
using namespace verbatim::protocol;
using namespace verbatim::session;
using namespace verbatim::session::test;
using namespace verbatim::transcript;

namespace {

/// OpenAI's protocol without a way to give a new connection the conversation.
class WithoutRebuild final : public OpenAiDialect {
 public:
  bool rebuilds() const override { return false; }
};

/// Counts the calls for a message.
class CountingDialect final : public OpenAiDialect {
 public:
  ServerMessage peek_server(std::string_view message) const override {
    ++calls;
    return OpenAiDialect::peek_server(message);
  }
  ServerReading read_server(std::string_view message) const override {
    ++calls;
    return OpenAiDialect::read_server(message);
  }
  Shows shows(std::string_view type) const override {
    ++calls;
    return OpenAiDialect::shows(type);
  }
  ClientMessage check_client(std::string_view message, const std::vector<std::string>& extra_types,
                             std::size_t values_max) const override {
    ++calls;
    return OpenAiDialect::check_client(message, extra_types, values_max);
  }
  ClientRequest peek_client(std::string_view message) const override {
    ++calls;
    return OpenAiDialect::peek_client(message);
  }
  std::optional<Event> read_client(std::string_view message) const override {
    ++calls;
    return OpenAiDialect::read_client(message);
  }
  mutable int calls = 0;
};

SessionOptions speaking(const ProviderDialect& provider) {
  SessionOptions options = usual_options();
  options.provider = &provider;
  options.resume_window_ms = 30'000;
  options.reconnect.attempts_max = 3;
  options.rotate_after_ms = 60'000;
  return options;
}

DialWish wish(const char* target, SessionType type = SessionType::realtime) {
  return {target, "model", "gpt realtime", "", "", type};
}

}  // namespace

TEST_CASE("a provider's dialect is found by its name, and by no other", "[P9][provider]") {
  CHECK(provider_dialect("openai") == &openai_dialect());
  CHECK(&default_provider_dialect() == &openai_dialect());
  for (const char* other : {"", "OpenAI", "openai ", "gemini"})
    CHECK(provider_dialect(other) == nullptr);
}

TEST_CASE("a message of audio is one question to the dialect, in either direction",
          "[P12][provider]") {
  const CountingDialect provider;
  Stage stage(speaking(provider));
  stage.open();
  provider.calls = 0;
  stage.provider(audio_delta);
  CHECK(provider.calls == 1);
  CHECK(stage.drain_client() == std::vector<std::string>{audio_delta});
  const std::string append = R"({"type":"input_audio_buffer.append","audio":"AAAA"})";
  provider.calls = 0;
  stage.client(append);
  CHECK(provider.calls == 1);
  CHECK(stage.drain_upstream() == std::vector<std::string>{append});
}

TEST_CASE("a session ends with its connection if the dialect cannot rebuild a conversation",
          "[P8][provider]") {
  const WithoutRebuild without;
  const std::array<const ProviderDialect*, 2> both = {&openai_dialect(), &without};
  for (const ProviderDialect* const provider : both) {
    INFO(provider->rebuilds());
    Stage stage(speaking(*provider));
    stage.open();
    stage.session.upstream_gone(stage.upstream, {false, 0, "reset"}, stage.clock);
    CHECK(stage.session.ended() != provider->rebuilds());
  }
}

TEST_CASE("a connection is not replaced by age if the dialect cannot rebuild a conversation",
          "[P8][provider]") {
  const WithoutRebuild without;
  const std::array<const ProviderDialect*, 2> both = {&openai_dialect(), &without};
  for (const ProviderDialect* const provider : both) {
    INFO(provider->rebuilds());
    Stage stage(speaking(*provider));
    stage.open();
    stage.pass(60'000);
    CHECK(stage.session.take_dial(stage.clock).has_value() == provider->rebuilds());
  }
}

TEST_CASE("a session is ended, not suspended, if the dialect cannot rebuild a conversation",
          "[P8][provider]") {
  const WithoutRebuild without;
  const std::array<const ProviderDialect*, 2> both = {&openai_dialect(), &without};
  for (const ProviderDialect* const provider : both) {
    INFO(provider->rebuilds());
    Stage stage(speaking(*provider));
    stage.open();
    stage.session.suspend("the server restarts", stage.clock);
    REQUIRE(stage.session.ended());
    CHECK(stage.session.suspended() == provider->rebuilds());
  }
}

TEST_CASE("OpenAI is dialled with the model, unless the address names it", "[P9][provider]") {
  const ProviderDialect& openai = openai_dialect();
  CHECK(openai.dial(wish("/v1/realtime")).target == "/v1/realtime?model=gpt%20realtime");
  CHECK(openai.dial(wish("/v1/realtime?a=1")).target == "/v1/realtime?a=1&model=gpt%20realtime");
  CHECK(openai.dial(wish("/v1/realtime?model=x")).target == "/v1/realtime?model=x");
  CHECK(openai.dial(wish("/v1/realtime")).headers.empty());
  DialWish named = wish("/v1/realtime");
  named.model_parameter = "deployment";
  named.organization = "org";
  named.project = "proj";
  const DialRequest request = openai.dial(named);
  CHECK(request.target == "/v1/realtime?deployment=gpt%20realtime");
  CHECK(request.headers == std::vector<std::pair<std::string, std::string>>{
                               {"OpenAI-Organization", "org"}, {"OpenAI-Project", "proj"}});
}

TEST_CASE("OpenAI is dialled for a transcription session with the intent and no model",
          "[P9][provider]") {
  const auto target = [](const char* address) {
    return openai_dialect().dial(wish(address, SessionType::transcription)).target;
  };
  CHECK(target("/v1/realtime") == "/v1/realtime?intent=transcription");
  CHECK(target("/v1/realtime?model=x&a=1") == "/v1/realtime?a=1&intent=transcription");
  CHECK(target("/v1/realtime?intent=other") == "/v1/realtime?intent=other");
}
