// Inworld's Realtime API: OpenAI's events with event_id before type, the old names of content
// parts, additional settings of its own, and no usage.
#include <string>
#include <utility>

#include "simulator/ids.hpp"
#include "simulator/spelling.hpp"

namespace verbatim::simulator {

namespace {

using Json = Spelling::Json;

void name_parts(Json& item) {
  if (!item.contains("content")) return;
  for (Json& part : item["content"]) {
    if (part["type"] == "output_audio") part["type"] = "audio";
    if (part["type"] == "output_text") part["type"] = "text";
  }
}

class InworldSpelling final : public Spelling {
 public:
  void spell(Json event, std::vector<Json>& out) override {
    if (event["type"] == "rate_limits.updated") return;
    if (event.contains("session")) {
      event["session"]["providerData"] = {{"stt", Json::object()}, {"tts", Json::object()}};
      event["session"].erase("expires_at");
    }
    if (event.contains("item")) name_parts(event["item"]);
    if (event.contains("response")) {
      for (Json& item : event["response"]["output"]) name_parts(item);
      event["response"]["usage"] = nullptr;
    }
    event.erase("obfuscation");
    Json turned = {{"event_id", event["event_id"]}};
    turned.update(event);
    out.push_back(std::move(turned));
  }
};

}  // namespace

std::unique_ptr<Spelling> inworld_spelling(Ids&) { return std::make_unique<InworldSpelling>(); }

}  // namespace verbatim::simulator
