// Inworld's Realtime API: OpenAI's events with event_id before type, the old names of content
// parts, additional settings of its own, and no usage.
#include <string>
#include <utility>

#include "simulator/ids.hpp"
#include "simulator/spelling.hpp"

namespace verbatim::simulator {

namespace {

void name_parts(OrderedJson& item) {
  if (!item.contains("content")) return;
  for (OrderedJson& part : item["content"]) {
    if (part["type"] == "output_audio") part["type"] = "audio";
    if (part["type"] == "output_text") part["type"] = "text";
  }
}

class InworldSpelling final : public Spelling {
 public:
  void spell(OrderedJson event, std::vector<OrderedJson>& out) override {
    if (event["type"] == "rate_limits.updated") return;
    if (event.contains("session")) {
      event["session"]["providerData"] = {{"stt", OrderedJson::object()},
                                          {"tts", OrderedJson::object()}};
      event["session"].erase("expires_at");
    }
    if (event.contains("item")) name_parts(event["item"]);
    if (event.contains("response")) {
      for (OrderedJson& item : event["response"]["output"]) name_parts(item);
      event["response"]["usage"] = nullptr;
    }
    event.erase("obfuscation");
    OrderedJson turned = {{"event_id", event["event_id"]}};
    turned.update(event);
    out.push_back(std::move(turned));
  }
};

}  // namespace

std::unique_ptr<Spelling> inworld_spelling(Ids&) { return std::make_unique<InworldSpelling>(); }

}  // namespace verbatim::simulator
