// Handles the client's events about conversation items.
#include <algorithm>
#include <string>
#include <utility>

#include "base/base64.hpp"
#include "session/relay_events.hpp"
#include "simulator/client_item.hpp"
#include "simulator/live_session.hpp"

namespace verbatim::simulator {

namespace {

ClientFault no_such_item(const std::string& doing, const std::string& code, const std::string& id,
                         const std::string& param) {
  return {code, "Error " + doing + " item: the item with id '" + id + "' does not exist.", param};
}

/// The string under `name`, or nullptr.
const std::string* string_in(const OrderedJson& event, const char* name) {
  const auto found = event.find(name);
  return found == event.end() || !found->is_string() ? nullptr
                                                     : &found->get_ref<const std::string&>();
}

}  // namespace

std::string LiveSession::new_item_id() {
  std::string id = emitter_.ids().make("item_");
  // A client can restore items whose ids an earlier connection made with the same seed.
  while (conversation_.find(id) != nullptr) id = emitter_.ids().make("item_");
  return id;
}

LiveSession::Refusal LiveSession::create_item(const OrderedJson& event, std::int64_t) {
  if (!event.contains("item")) return missing_parameter("item");
  OrderedJson item = event["item"];
  const std::string* const event_id = string_in(event, "event_id");
  const bool rebuilds = event_id != nullptr && event_id->starts_with(session::own_event_prefix);
  if (rebuilds && faults_.refuse_history > 0 && random_.chance(faults_.refuse_history)) {
    return ClientFault{"invalid_value", "The simulated provider is set to refuse this item.",
                       "item"};
  }
  if (auto fault = check_client_item(item)) return fault;
  if (profile_.echoes_items) echo_item(item);

  std::string after = conversation_.last_id();
  if (const std::string* previous = string_in(event, "previous_item_id")) {
    after = *previous == "root" ? std::string() : *previous;
    if (!after.empty() && conversation_.find(after) == nullptr) {
      return ClientFault{
          "item_create_invalid_previous_item_id",
          "Error adding item: the previous item with id '" + after + "' does not exist.",
          "previous_item_id"};
    }
  }
  const std::string* const id = string_in(item, "id");
  if (id == nullptr || id->empty()) {
    item["id"] = new_item_id();
  } else if (conversation_.find(*id) != nullptr) {
    return ClientFault{"item_create_duplicate_item_id",
                       "Error adding item: an item with id '" + *id + "' already exists.",
                       "item.id"};
  }
  if (item["type"] == "function_call_output" &&
      !conversation_.has_call(item["call_id"].get<std::string>())) {
    return ClientFault{
        "invalid_tool_call_id",
        "Tool call ID '" + item["call_id"].get<std::string>() + "' not found in conversation.",
        "item.call_id"};
  }
  const OrderedJson shown = normal_item(item);
  const auto new_id = shown["id"].get<std::string>();
  conversation_.insert({shown, {}, 0, false, 0}, after);
  if (profile_.echoes_items) {
    echoed_ = new_id;
    return std::nullopt;
  }
  const OrderedJson fields = {{"previous_item_id", conversation_.previous_of(new_id)},
                              {"item", shown}};
  emitter_.send("conversation.item.added", fields);
  emitter_.send("conversation.item.done", fields);
  return std::nullopt;
}

/// Sends conversation.item.created for items that the provider understands, and nothing for others.
void LiveSession::echo_item(const OrderedJson& item) {
  const auto role = item.value("role", std::string());
  const bool understood = item["type"] == "function_call_output" || role == "user";
  if (!understood) return;
  const std::string last = conversation_.last_id();
  const std::string& previous = last == echoed_ ? echoed_as_ : last;
  emitter_.send(
      "conversation.item.created",
      {{"previous_item_id", previous.empty() ? OrderedJson(nullptr) : OrderedJson(previous)},
       {"item", item}});
  echoed_as_ = item.value("id", std::string());
}

LiveSession::Refusal LiveSession::retrieve_item(const OrderedJson& event, std::int64_t) {
  const std::string* const id = string_in(event, "item_id");
  if (id == nullptr) return missing_parameter("item_id");
  const ConversationItem* const item = conversation_.find(*id);
  if (item == nullptr) {
    return no_such_item("retrieving", "item_retrieve_invalid_item_id", *id, "item_id");
  }
  OrderedJson shown = item->json;
  if (!item->words.empty() && !shown["content"].empty()) {
    // Generate the answer's audio again instead of storing it: the same text gives the same
    // samples.
    OrderedJson& part = shown["content"][0];
    if (item->truncated) part["transcript"] = nullptr;
    const std::string bytes = encode_audio(output_format_of(config_.json()["audio"]["output"]),
                                           Voice(item->words).speak(item->audio_ms));
    std::string audio;
    encode_base64(bytes, audio);
    part["audio"] = std::move(audio);
  }
  emitter_.send("conversation.item.retrieved", {{"item", shown}});
  return std::nullopt;
}

LiveSession::Refusal LiveSession::delete_item(const OrderedJson& event, std::int64_t) {
  const std::string* const id = string_in(event, "item_id");
  if (id == nullptr) return missing_parameter("item_id");
  if (!conversation_.erase(*id)) {
    return no_such_item("deleting", "item_delete_invalid_item_id", *id, "item_id");
  }
  emitter_.send("conversation.item.deleted", {{"item_id", *id}});
  return std::nullopt;
}

LiveSession::Refusal LiveSession::truncate_item(const OrderedJson& event, std::int64_t) {
  const std::string* const id = string_in(event, "item_id");
  if (id == nullptr) return missing_parameter("item_id");
  for (const char* name : {"content_index", "audio_end_ms"}) {
    if (!event.contains(name)) return missing_parameter(name);
    if (!event[name].is_number() || event[name] < 0) {
      return ClientFault{"invalid_value",
                         std::string("Invalid value for '") + name + "'. Expected a number >= 0.",
                         name};
    }
  }
  ConversationItem* const item = conversation_.find(*id);
  if (item == nullptr) {
    return no_such_item("truncating", "item_truncate_invalid_item_id", *id, "item_id");
  }
  if (item->audio_ms == 0 || event["content_index"] != 0) {
    return ClientFault{"unsupported_content_type",
                       "Only model output audio messages can be truncated", "item_id"};
  }
  constexpr double absurd_ms = 1e15;
  const auto wanted =
      static_cast<std::int64_t>(std::min(event["audio_end_ms"].get<double>(), absurd_ms));
  if (wanted > item->audio_ms) {
    // The provider sends an error and still truncates, to the length that it has.
    const std::string* const client_id = string_in(event, "event_id");
    emitter_.error({"invalid_value",
                    "Audio content of " + std::to_string(item->audio_ms) +
                        "ms is already shorter than " + std::to_string(wanted) + "ms",
                    ""},
                   client_id == nullptr ? std::string() : *client_id);
  } else {
    item->audio_ms = wanted;
  }
  item->truncated = true;
  emitter_.send("conversation.item.truncated",
                {{"item_id", *id}, {"content_index", 0}, {"audio_end_ms", item->audio_ms}});
  return std::nullopt;
}

}  // namespace verbatim::simulator
