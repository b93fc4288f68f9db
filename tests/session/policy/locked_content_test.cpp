// The content of messages uses the protocol's own type names, which share words with lockable
// settings: input_audio does not change audio.input.
#include <catch2/catch.hpp>
#include <string>
#include <utility>
#include <vector>

#include "session/policy/policy.hpp"
#include "session/protocol/clients/beta_dialect.hpp"
#include "tests/session/policy/locked.hpp"
#include "tests/session/stage.hpp"

using namespace verbatim;
using namespace verbatim::policy;
using namespace verbatim::protocol;
using namespace verbatim::session::test;

namespace {

constexpr const char* with_voice =
    R"({"instructions":"Be kind.","audio":{"output":{"voice":"marin"}}})";

/// The code of the refusal; empty if the message passes.
std::string refusal_code(const Policy& policy, const std::string& message) {
  const auto refusal = policy.refuse(peek_type(message), message);
  return refusal ? refusal->code : "";
}

}  // namespace

TEST_CASE("content of every protocol type passes, with any lock", "[P9][policy][locks]") {
  const std::vector<std::string> items = {
      R"({"role":"user","content":[{"type":"input_text","text":"What is it?"}]})",
      R"({"role":"user","content":[{"type":"input_audio","audio":"AAAA"}]})",
      R"({"role":"user","content":[{"type":"input_audio","audio":"AAAA","transcript":"a b"}]})",
      R"({"role":"user","content":[{"type":"input_audio","audio":null,"transcript":null}]})",
      R"({"role":"user","content":[{"type":"input_image","image_url":"data:image/png;base64,AAAA",)"
      R"("detail":"high"}]})",
      R"({"role":"user","content":[{"type":"input_file","file_id":"file_1"}]})",
      R"({"role":"user","content":[{"type":"text","text":"a b"},{"type":"audio","audio":"AAAA"}]})",
      R"({"role":"user","content":[{"type":"item_reference","id":"i1"}]})",
      R"({"role":"assistant","content":[{"type":"output_text","text":"It is a cat."}]})",
      R"({"role":"assistant","content":[{"type":"output_audio","transcript":"It is a cat."}]})",
      R"({"role":"assistant","content":[{"type":"output_audio","audio":"AAAA","transcript":"a b"}]})",
      R"({"role":"assistant","content":[{"type":"text","text":"It is a cat."}]})",
      R"({"role":"assistant","content":[{"type":"audio","transcript":"It is a cat."}]})",
      R"({"role":"assistant","content":[{"type":"refusal","refusal":"I may not."}]})",
  };
  std::vector<std::vector<std::string>> locks;
  for (const char* field : {"all",
                            "bound",
                            "model",
                            "instructions",
                            "prompt",
                            "tools",
                            "tool_choice",
                            "audio",
                            "audio.input",
                            "audio.input.format",
                            "audio.input.transcription",
                            "audio.input.turn_detection",
                            "audio.input.noise_reduction",
                            "audio.output",
                            "audio.output.format",
                            "audio.output.voice",
                            "audio.output.speed",
                            "output_modalities",
                            "modalities",
                            "voice",
                            "input_audio_format",
                            "output_audio_format",
                            "input_audio_transcription",
                            "turn_detection",
                            "max_output_tokens",
                            "temperature",
                            "include",
                            "tracing",
                            "truncation",
                            "reasoning"}) {
    locks.push_back({field});
    locks.push_back({field, "instructions"});
  }
  for (const std::vector<std::string>& fields : locks) {
    const Policy policy = locked(fields, with_voice);
    for (const std::string& item : items) {
      for (const std::string& message :
           {create(item), create(R"({"type":"message",)" + item.substr(1)),
            R"({"type":"response.create","response":{"conversation":"none","input":[)" + item +
                "]}}"}) {
        INFO(fields.front() << ' ' << message);
        CHECK(refusal_code(policy, message).empty());
        Message beta{message, {}};
        beta_dialect().to_provider(beta);
        CHECK(refusal_code(policy, beta.bytes).empty());
      }
    }
  }
  // Types that only resemble one of them do not pass.
  for (const char* type :
       {"input_audio_voice", "output_instructions", "Input_audio", "input_audio ", "session",
        "system", "input_system", "audio.input", "outputaudio"}) {
    INFO(type);
    CHECK(refusal_code(locked({"all"}, with_voice),
                       create(R"({"role":"user","content":[{"type":")" + std::string(type) +
                              R"(","text":"EVIL"}]})")) == "invalid_value");
  }
}
