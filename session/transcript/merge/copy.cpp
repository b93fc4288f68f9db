#include "session/transcript/merge/copy.hpp"

#include "base/json/dump.hpp"
#include "base/json/tree.hpp"
namespace verbatim::transcript {
namespace {

/// Text is WTF-8 and JSON is UTF-8, so half a surrogate pair would be lost. Posted text came as
/// JSON and contains none.
OrderedJson turn_json(const CopyTurn& turn) {
  OrderedJson json = OrderedJson::object();
  if (turn.ordinal) json["n"] = *turn.ordinal;
  if (!turn.item_id.empty()) json["id"] = turn.item_id;
  json["role"] = static_cast<int>(turn.role);
  json["status"] = static_cast<int>(turn.status);
  json["text"] = turn.text.utf8();
  if (turn.started_at) json["from"] = *turn.started_at;
  if (turn.ended_at) json["to"] = *turn.ended_at;
  return json;
}

template <class Value>
std::optional<Value> optional_member(const OrderedJson& json, const char* name) {
  const auto at = json.find(name);
  if (at == json.end()) return std::nullopt;
  return at->get<Value>();
}

CopyTurn turn_from(const OrderedJson& json) {
  CopyTurn turn;
  turn.ordinal = optional_member<int>(json, "n");
  turn.item_id = json.value("id", std::string());
  turn.role = static_cast<Role>(json.at("role").get<std::uint8_t>());
  turn.status = static_cast<TurnStatus>(json.at("status").get<std::uint8_t>());
  turn.text = Text::from_wtf8(json.at("text").get<std::string>());
  turn.started_at = optional_member<TimeMs>(json, "from");
  turn.ended_at = optional_member<TimeMs>(json, "to");
  return turn;
}

}  // namespace

std::string encode_turns(const std::vector<CopyTurn>& turns) {
  OrderedJson list = OrderedJson::array();
  for (const CopyTurn& turn : turns) list.push_back(turn_json(turn));
  return dump(list);
}

std::optional<std::vector<CopyTurn>> decode_turns(std::string_view stored) {
  try {
    std::vector<CopyTurn> turns;
    for (const OrderedJson& one : OrderedJson::parse(stored)) turns.push_back(turn_from(one));
    return turns;
  } catch (const OrderedJson::exception&) {
    return std::nullopt;
  }
}

}  // namespace verbatim::transcript
