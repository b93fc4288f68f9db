// vLLM-Omni's realtime endpoint as of September 2026. It sends one answer for each committed
// buffer, as pieces of text and audio without ids. It sends no items, no responses and no
// transcriptions.
#include <string>
#include <utility>

#include "simulator/spelling.hpp"

namespace verbatim::simulator {

namespace {

class VllmOmniSpelling final : public Spelling {
 public:
  void spell(OrderedJson event, std::vector<OrderedJson>& out) override {
    const auto type = event["type"].get<std::string>();
    if (type == "session.created") {
      const OrderedJson& session = event["session"];
      const OrderedJson created = session.value("expires_at", OrderedJson(0));
      out.push_back({{"type", type}, {"id", session["id"]}, {"created", created}});
    } else if (type == "response.output_audio_transcript.delta") {
      out.push_back({{"type", type}, {"delta", event["delta"]}});
    } else if (type == "response.output_audio_transcript.done") {
      out.push_back({{"type", type},
                     {"text", event["transcript"]},
                     {"usage", {{"prompt_tokens", 1}, {"completion_tokens", 1}}}});
    } else if (type == "response.output_audio.delta") {
      out.push_back({{"type", type},
                     {"audio", event["delta"]},
                     {"format", "pcm16"},
                     {"sample_rate_hz", 24'000}});
    } else if (type == "response.output_audio.done") {
      out.push_back({{"type", type}, {"has_audio", true}});
    } else if (type == "error") {
      const OrderedJson& error = event["error"];
      out.push_back({{"type", type}, {"error", error["message"]}, {"code", error["code"]}});
    }
  }
};

}  // namespace

std::unique_ptr<Spelling> vllm_omni_spelling(Ids&) { return std::make_unique<VllmOmniSpelling>(); }

}  // namespace verbatim::simulator
