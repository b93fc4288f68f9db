#include "session/item_json.hpp"

#include "session/json_tree.hpp"

namespace verbatim::session {

namespace {

nlohmann::json tool_item(const Item& item) {
  nlohmann::json tool = nlohmann::json::parse(item.detail, nullptr, /*allow_exceptions=*/false);
  return tool.is_object() ? tool : nlohmann::json{};
}

bool heard_by_voice(const Item& item) {
  for (const Part& part : item.parts) {
    if (part.spoken_input) return true;
  }
  return false;
}

const char* shown_status(TurnStatus status) {
  switch (status) {
    case TurnStatus::in_progress:
      return "in_progress";
    case TurnStatus::completed:
    case TurnStatus::truncated:
      return "completed";
    case TurnStatus::interrupted:
    case TurnStatus::cancelled:
    case TurnStatus::failed:
      return "incomplete";
  }
  return "completed";
}

}  // namespace

std::string shown_item(const Item& item, const std::optional<Turn>& turn, bool spoken) {
  if (item.kind != ItemKind::message || !turn) {
    const nlohmann::json tool = tool_item(item);
    return tool.is_object() ? dump(tool) : std::string();
  }
  nlohmann::json content = nlohmann::json::array();
  const std::string text = turn->text.utf8();
  if (turn->role == Role::assistant) {
    if (turn->status != TurnStatus::in_progress) {
      content.push_back(spoken ? nlohmann::json{{"type", "output_audio"}, {"transcript", text}}
                               : nlohmann::json{{"type", "output_text"}, {"text", text}});
    }
  } else if (heard_by_voice(item)) {
    const bool told = turn->status == TurnStatus::completed;
    content.push_back({{"type", "input_audio"},
                       {"transcript", told ? nlohmann::json(text) : nlohmann::json(nullptr)}});
  } else {
    content.push_back({{"type", "input_text"}, {"text", text}});
  }
  // A user's speech is complete as an item long before its words are known.
  const char* const status =
      turn->role == Role::assistant ? shown_status(turn->status) : "completed";
  return dump({{"id", turn->item_id},
               {"type", "message"},
               {"status", status},
               {"role", to_string(turn->role)},
               {"content", std::move(content)}});
}

std::string rebuilt_item(const Item& item, const std::optional<Turn>& turn) {
  if (item.kind == ItemKind::function_call || item.kind == ItemKind::function_call_output) {
    nlohmann::json tool = tool_item(item);
    if (!tool.is_object()) return {};
    tool.erase("status");
    tool.erase("object");
    return dump(tool);
  }
  if (item.kind != ItemKind::message || !turn || turn->deleted) return {};
  const std::string text = (turn->heard ? turn->heard->text.value_or(Text()) : turn->text).utf8();
  if (text.empty() || turn->role == Role::unknown) return {};
  const char* const kind = turn->role == Role::assistant ? "output_text" : "input_text";
  return dump({{"id", turn->item_id},
               {"type", "message"},
               {"role", to_string(turn->role)},
               {"content", nlohmann::json::array({{{"type", kind}, {"text", text}}})}});
}

}  // namespace verbatim::session
