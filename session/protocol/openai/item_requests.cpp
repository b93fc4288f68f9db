#include "session/protocol/openai/item_requests.hpp"

#include <vector>

#include "base/assert.hpp"
#include "base/json/dump.hpp"
#include "base/json/view.hpp"
#include "base/json/writer.hpp"
#include "session/protocol/openai/item_writer.hpp"
#include "session/transcript/heard.hpp"
#include "session/transcript/item_content.hpp"

namespace verbatim::protocol {

namespace {

using json::Kind;
using json::View;

constexpr std::string_view in_front = "root";

/// The parts of a message that are not text.
std::vector<std::string_view> beside_text(View content) {
  std::vector<std::string_view> parts;
  for (json::Elements one(content); one.next();)
    if (!transcript::is_text_part(one.value()["type"].between_quotes()))
      parts.push_back(one.value().raw());
  return parts;
}

bool says_the_same(const transcript::Item& wanted, const transcript::Item& ours,
                   const transcript::Turn& turn) {
  Text words;
  for (const transcript::Part& part : wanted.parts) transcript::append_part(words, part.text);
  if (words != turn.text && !(turn.heard && words == turn.heard->text)) return false;
  return beside_text(View::of(wanted.detail)["content"]) ==
         beside_text(View::of(ours.detail)["content"]);
}

/// For a tool call, its output or an approval: whether both ask or answer the same.
bool asks_the_same(const transcript::Item& wanted, const transcript::Item& ours) {
  const View theirs = View::of(wanted.detail);
  const View here = View::of(ours.detail);
  for (const char* member : {"call_id", "name", "arguments", "output", "approval_request_id",
                             "approve", "server_label"}) {
    const View value = theirs[member];
    if (value.exists() && value.string() != here[member].string()) return false;
    if (value.is(Kind::boolean) && value.boolean() != here[member].boolean()) return false;
  }
  return wanted.kind == ours.kind;
}

}  // namespace

ItemTarget item_target(std::string_view message) {
  const View view = View::of(message);
  return {view["item_id"].string_or_empty(),
          static_cast<int>(view["content_index"].integer().value_or(0)),
          view["audio_end_ms"].integer().value_or(0)};
}

std::string_view item_in(std::string_view message) { return View::of(message)["item"].raw(); }

bool is_same_item(const transcript::Item& wanted, const transcript::Item& ours,
                  const std::optional<transcript::Turn>& turn) {
  return turn ? says_the_same(wanted, ours, *turn) : asks_the_same(wanted, ours);
}

std::string placed_behind(std::string_view message, const std::string& item_id) {
  const View place = View::of(message)["previous_item_id"];
  if (!place.exists()) return std::string(message);
  const auto begin = static_cast<std::size_t>(place.raw().data() - message.data());
  VERBATIM_EXPECTS(begin <= message.size() && place.raw().size() <= message.size() - begin);
  std::string out(message.substr(0, begin));
  out += item_id.empty() ? json::quoted(in_front) : dump(Json(item_id));
  return out += message.substr(begin + place.raw().size());
}

// Appends the item without naming a place: if one item is refused, the next is still accepted.
RebuiltItem create_item(const transcript::Item& item, const std::optional<transcript::Turn>& turn,
                        std::size_t item_bytes_max, std::string_view event_id) {
  RebuiltItem rebuilt = rebuilt_item(item, turn);
  if (rebuilt.json.size() > item_bytes_max) return {{}, "too_large"};
  if (rebuilt.json.empty()) return rebuilt;
  rebuilt.json = R"({"type":"conversation.item.create","event_id":)" + dump(Json(event_id)) +
                 R"(,"item":)" + rebuilt.json + "}";
  return rebuilt;
}

}  // namespace verbatim::protocol
