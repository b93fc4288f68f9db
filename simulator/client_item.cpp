#include "simulator/client_item.hpp"

#include <algorithm>
#include <array>
#include <string>
#include <string_view>

namespace verbatim::simulator {

namespace {

struct Role {
  std::string_view name;
  std::array<std::string_view, 3> content;
};
constexpr std::array<Role, 3> roles = {{{"user", {"input_text", "input_audio", "input_image"}},
                                        {"system", {"input_text", "", ""}},
                                        {"assistant", {"output_text", "", ""}}}};

bool has_string(const OrderedJson& object, const char* name) {
  const auto found = object.find(name);
  return found != object.end() && found->is_string();
}

std::optional<ClientFault> check_content(const OrderedJson& part, const Role& role,
                                         const std::string& path) {
  if (!part.is_object() || !has_string(part, "type")) return missing_parameter(path + ".type");
  const auto type = part["type"].get<std::string>();
  if (std::find(role.content.begin(), role.content.end(), type) == role.content.end()) {
    return ClientFault{"invalid_value",
                       "Invalid value: '" + type + "'. It cannot stand in a message of role '" +
                           std::string(role.name) + "'.",
                       path + ".type"};
  }
  if (type.ends_with("_text") && !has_string(part, "text")) {
    return missing_parameter(path + ".text");
  }
  return std::nullopt;
}

std::optional<ClientFault> check_message(const OrderedJson& item) {
  if (!has_string(item, "role")) return missing_parameter("item.role");
  const auto role = std::find_if(roles.begin(), roles.end(),
                                 [&](const Role& known) { return item["role"] == known.name; });
  if (role == roles.end()) {
    return ClientFault{"invalid_value",
                       "Invalid value: '" + item["role"].get<std::string>() +
                           "'. Supported values are: 'user', 'system' and 'assistant'.",
                       "item.role"};
  }
  if (!item.contains("content") || !item["content"].is_array()) {
    return missing_parameter("item.content");
  }
  for (std::size_t i = 0; i < item["content"].size(); ++i) {
    const std::string path = "item.content[" + std::to_string(i) + "]";
    if (auto fault = check_content(item["content"][i], *role, path)) return fault;
  }
  return std::nullopt;
}

OrderedJson normal_content(const OrderedJson& part) {
  const auto type = part.at("type").get<std::string>();
  if (type == "input_audio") {
    const auto words = part.find("transcript");
    return {{"type", type}, {"transcript", words == part.end() ? OrderedJson(nullptr) : *words}};
  }
  if (type == "input_image") return {{"type", type}};
  return {{"type", type}, {"text", part.at("text")}};
}

}  // namespace

std::optional<ClientFault> check_client_item(const OrderedJson& item) {
  if (!item.is_object()) return missing_parameter("item");
  if (!has_string(item, "type")) return missing_parameter("item.type");
  const auto type = item["type"].get<std::string>();
  if (item.contains("id") && !item["id"].is_string()) {
    return ClientFault{"invalid_type", "Invalid type for 'item.id': expected a string.", "item.id"};
  }
  if (type == "message") return check_message(item);
  const auto wants = [&](std::initializer_list<const char*> names) -> std::optional<ClientFault> {
    for (const char* name : names) {
      if (!has_string(item, name)) return missing_parameter(std::string("item.") + name);
    }
    return std::nullopt;
  };
  if (type == "function_call") return wants({"call_id", "name", "arguments"});
  if (type == "function_call_output") return wants({"call_id", "output"});
  return ClientFault{"invalid_value",
                     "Invalid value: '" + type +
                         "'. Supported values are: 'message', 'function_call' and "
                         "'function_call_output'.",
                     "item.type"};
}

OrderedJson normal_item(const OrderedJson& item) {
  if (item.at("type") == "function_call_output") {
    // Providers send these items without a status.
    return {{"id", item.at("id")},
            {"type", "function_call_output"},
            {"call_id", item.at("call_id")},
            {"output", item.at("output")}};
  }
  if (item.at("type") == "function_call") {
    return {{"id", item.at("id")},           {"type", "function_call"},
            {"status", "completed"},         {"name", item.at("name")},
            {"call_id", item.at("call_id")}, {"arguments", item.at("arguments")}};
  }
  OrderedJson content = OrderedJson::array();
  for (const OrderedJson& part : item.at("content")) content.push_back(normal_content(part));
  return {{"id", item.at("id")},
          {"type", "message"},
          {"status", "completed"},
          {"role", item.at("role")},
          {"content", content}};
}

}  // namespace verbatim::simulator
