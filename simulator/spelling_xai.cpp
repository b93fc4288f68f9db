// xAI's Grok Voice: OpenAI's current event names with a session object of the old form. It
// announces a conversation, and sends `added` but never `done` for items. previous_item_id is in
// every event and null except for answers. Transcriptions grow, and all items of a response have
// output index 0.
#include <string>
#include <utility>

#include "simulator/ids.hpp"
#include "simulator/spelling.hpp"

namespace verbatim::simulator {

namespace {

/// Moves the settings of a session to their places in the old protocol.
OrderedJson flat_session(const OrderedJson& session) {
  const OrderedJson& audio = session.at("audio");
  OrderedJson flat = {{"id", session.at("id")},
                      {"object", "realtime.session"},
                      {"instructions", session.at("instructions")},
                      {"voice", audio.at("output").at("voice")},
                      {"modalities", session.at("output_modalities")},
                      {"turn_detection", audio.at("input").at("turn_detection")},
                      {"tools", session.at("tools")},
                      {"model", session.at("model")}};
  if (flat["turn_detection"].is_null()) flat["turn_detection"] = {{"type", nullptr}};
  return flat;
}

OrderedJson updated_session(const OrderedJson& session) {
  OrderedJson updated = flat_session(session);
  const OrderedJson& audio = session.at("audio");
  updated.erase("id");
  updated["input_audio_transcription"] = audio.at("input").at("transcription");
  updated["input_audio_format"] = "not specified";
  updated["output_audio_format"] = "not specified";
  updated["max_response_output_tokens"] = session.at("max_output_tokens");
  updated["audio"] = {
      {"input",
       {{"format", audio.at("input").at("format")},
        {"transport", "json"},
        {"transcription", audio.at("input").at("transcription")}}},
      {"output", {{"format", audio.at("output").at("format")}, {"transport", "json"}}}};
  return updated;
}

bool is_tool(const OrderedJson& item) { return item.value("type", "") != "message"; }

void spell_item(OrderedJson& item) {
  item["object"] = "realtime.item";
  if (is_tool(item)) item["role"] = "tool";
  if (!item.contains("content")) return;
  for (OrderedJson& part : item["content"]) {
    if (part["type"] == "output_audio") part["type"] = "audio";
    if (part["type"] == "input_audio" && part["transcript"].is_null()) part["transcript"] = "";
  }
}

class XaiSpelling final : public Spelling {
 public:
  explicit XaiSpelling(Ids& ids) : ids_(ids) {}

  void spell(OrderedJson event, std::vector<OrderedJson>& out) override {
    const auto type = event["type"].get<std::string>();
    if (type == "session.created") return greet(std::move(event), out);
    if (type == "conversation.item.done" || type == "rate_limits.updated") return;
    if (type == "conversation.item.input_audio_transcription.delta") return;
    if (type == "session.updated") event["session"] = updated_session(event["session"]);
    if (type == "conversation.item.added") added(event);
    if (type == "conversation.item.deleted") event["item_id"] = "";
    if (type == "response.created" || type == "response.done") respond(event["response"]);
    if (type.starts_with("response.output_item.")) output_item(event["item"]);
    if (type == "response.content_part.done") event.erase("part");
    if (event.contains("output_index")) event["output_index"] = 0;
    event.erase("obfuscation");
    event.erase("usage");
    if (type != "conversation.item.added") event["previous_item_id"] = nullptr;
    if (type == "response.content_part.added") event["previous_item_id"] = "0";
    if (type == "conversation.item.input_audio_transcription.completed") {
      OrderedJson updated = event;
      updated["type"] = "conversation.item.input_audio_transcription.updated";
      updated["event_id"] = ids_.make("event_");
      updated.erase("status");
      out.push_back(std::move(updated));
    }
    out.push_back(std::move(event));
  }

 private:
  void greet(OrderedJson event, std::vector<OrderedJson>& out) {
    event["session"] = flat_session(event["session"]);
    out.push_back(std::move(event));
    out.push_back(
        {{"type", "conversation.created"},
         {"event_id", ids_.make("event_")},
         {"conversation", {{"id", ids_.make("conv_")}, {"object", "realtime.conversation"}}},
         {"previous_item_id", nullptr}});
    out.push_back({{"type", "ping"},
                   {"event_id", ids_.make("event_")},
                   {"timestamp", 0},
                   {"previous_item_id", nullptr}});
  }

  static void added(OrderedJson& event) {
    OrderedJson& item = event["item"];
    spell_item(item);
    if (item.value("role", "") == "assistant") return;
    event["previous_item_id"] = nullptr;
  }

  static void respond(OrderedJson& response) {
    response = {{"id", response["id"]},
                {"object", "realtime.response"},
                {"output", response["output"]},
                {"status", response["status"]},
                {"status_details", "unimplemented"},
                {"usage", OrderedJson::object()}};
    for (OrderedJson& item : response["output"]) spell_item(item);
  }

  static void output_item(OrderedJson& item) {
    spell_item(item);
    if (is_tool(item)) item["role"] = "user";
    item.erase("content");
  }

  Ids& ids_;
};

}  // namespace

std::unique_ptr<Spelling> xai_spelling(Ids& ids) { return std::make_unique<XaiSpelling>(ids); }

}  // namespace verbatim::simulator
