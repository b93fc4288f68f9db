#include "session/protocol/openai/item_writer.hpp"

#include <algorithm>
#include <string_view>
#include <utility>
#include <vector>

#include "base/assert.hpp"
#include "base/json/dump.hpp"
#include "base/json/view.hpp"
#include "base/json/writer.hpp"
#include "session/transcript/item_content.hpp"

namespace verbatim::protocol {

namespace {

using json::Kind;
using json::View;

std::string quoted_text(const Text& text) { return dump(Json(text.utf8())); }

bool heard_by_voice(const transcript::Item& item) {
  return std::any_of(item.parts.begin(), item.parts.end(),
                     [](const transcript::Part& part) { return part.spoken_input; });
}

const char* shown_status(transcript::TurnStatus status) {
  switch (status) {
    case transcript::TurnStatus::in_progress:
      return "in_progress";
    case transcript::TurnStatus::completed:
    case transcript::TurnStatus::truncated:
      return "completed";
    case transcript::TurnStatus::interrupted:
    case transcript::TurnStatus::cancelled:
    case transcript::TurnStatus::failed:
      return "incomplete";
  }
  return "completed";
}

/// One part of a message's content: its original JSON (absent if only its text is known) and its
/// text.
struct ContentPart {
  View came;
  bool holds_text = true;
  bool is_audio = false;
  Text text;
};

/// All parts in order: first those with JSON, then those of which only the text is known.
std::vector<ContentPart> content_of(const transcript::Item& item, View came) {
  std::vector<ContentPart> all;
  for (json::Elements parts(came["content"]); parts.next();) {
    const std::string_view type = parts.value()["type"].between_quotes();
    ContentPart part{
        parts.value(), transcript::is_text_part(type), transcript::is_audio_part(type), {}};
    if (part.holds_text)
      part.text =
          Text::from_wtf8(parts.value()[part.is_audio ? "transcript" : "text"].string_or_empty());
    all.push_back(std::move(part));
  }
  const auto count = static_cast<int>(all.size());
  for (const transcript::Part& ours : item.parts) {
    if (ours.content_index >= count) {
      all.push_back({{}, true, ours.spoken_input, ours.text});
    } else if (ContentPart& part = all[static_cast<std::size_t>(ours.content_index)];
               part.holds_text && !ours.text.empty()) {
      part.text = ours.text;
    }
  }
  return all;
}

/// Keeps only the heard text of an answer that the user talked over.
void keep_heard(std::vector<ContentPart>& parts, const Text& heard) {
  Text left = heard;
  for (ContentPart& part : parts)
    if (part.holds_text) part.text = std::exchange(left, {});
}

std::string part_json(std::string_view type, std::string_view member, const std::string& value) {
  json::ObjectWriter out;
  out.add("type", json::quoted(type));
  out.add(member, value);
  return out.text();
}

/// A typed part that has more than text: the text is replaced, all other members stay unchanged.
std::string with_text(View part, const Text& text) {
  json::ObjectWriter out;
  for (json::Members members(part); members.next();)
    out.add(members.key(),
            members.key() == "text" ? quoted_text(text) : std::string(members.value().raw()));
  return out.text();
}

std::string array_of(const std::vector<std::string>& parts) {
  std::string out = "[";
  for (const std::string& part : parts) {
    if (out.size() > 1) out += ',';
    out += part;
  }
  return out + ']';
}

/// A message with this content. Its other members are the original ones, or else the usual ones.
std::string message_json(const transcript::Turn& turn, View came, const char* status,
                         const std::vector<std::string>& content) {
  json::ObjectWriter out;
  out.add("id", dump(Json(turn.item_id)));
  out.add("type", "\"message\"");
  if (status != nullptr) out.add("status", json::quoted(status));
  out.add("role", json::quoted(transcript::to_string(turn.role)));
  const std::string list = array_of(content);
  out.add("content", list);
  for (json::Members members(came); members.next();) out.add(members.key(), members.value().raw());
  return out.text();
}

std::string output_part(const Text& text, bool spoken) {
  return spoken ? part_json("output_audio", "transcript", quoted_text(text))
                : part_json("output_text", "text", quoted_text(text));
}

std::string input_part(const ContentPart& part, const transcript::Turn& turn, bool by_voice) {
  if (part.is_audio || (by_voice && !part.came.exists())) {
    const bool completed = turn.status == transcript::TurnStatus::completed;
    return part_json("input_audio", "transcript", completed ? quoted_text(part.text) : "null");
  }
  return part.came.exists() ? with_text(part.came, part.text)
                            : part_json("input_text", "text", quoted_text(part.text));
}

std::string shown_message(const transcript::Item& item, const transcript::Turn& turn, bool spoken) {
  const View came = View::of(item.detail);
  const bool answer = turn.role == transcript::Role::assistant;
  const bool by_voice = heard_by_voice(item);
  // The text of an answer under way follows as deltas.
  const bool under_way = answer && turn.status == transcript::TurnStatus::in_progress;
  std::vector<std::string> content;
  for (const ContentPart& part : content_of(item, came)) {
    if (!part.holds_text) {
      content.push_back(transcript::without_audio(part.came));
    } else if (!answer) {
      content.push_back(input_part(part, turn, by_voice));
    } else if (!under_way) {
      content.push_back(output_part(part.text, spoken));
    }
  }
  if (content.empty() && !under_way)
    content.push_back(answer ? output_part({}, spoken)
                             : part_json("input_text", "text", quoted_text({})));
  // A user's speech is complete as an item long before its transcription.
  return message_json(turn, came, answer ? shown_status(turn.status) : "completed", content);
}

std::string tool_json(const transcript::Item& item) {
  const View came = View::of(item.detail);
  if (!came.is(Kind::object)) return {};
  json::ObjectWriter out;
  out.add("id", dump(Json(item.id)));
  for (json::Members members(came); members.next();) out.add(members.key(), members.value().raw());
  return out.text();
}

RebuiltItem rebuilt_tool(const transcript::Item& item) {
  if (item.status == transcript::ItemStatus::in_progress) return {{}, "unfinished"};
  const std::string whole = tool_json(item);
  if (whole.empty()) return {{}, "not_kept"};
  return {transcript::without_status(View::of(whole)), ""};
}

RebuiltItem rebuilt_message(const transcript::Item& item, const transcript::Turn& turn) {
  if (turn.role == transcript::Role::unknown) return {{}, "no_role"};
  const View came = View::of(item.detail);
  std::vector<ContentPart> parts = content_of(item, came);
  if (turn.heard) keep_heard(parts, turn.heard->text.value_or(Text()));
  const char* const kind = turn.role == transcript::Role::assistant ? "output_text" : "input_text";
  std::vector<std::string> content;
  for (const ContentPart& part : parts) {
    if (!part.holds_text) {
      content.push_back(transcript::without_audio(part.came));
    } else if (part.text.empty()) {
      continue;
    } else if (part.is_audio || !part.came.exists()) {
      content.push_back(part_json(kind, "text", quoted_text(part.text)));
    } else {
      content.push_back(with_text(part.came, part.text));
    }
  }
  if (content.empty()) return {{}, "no_text"};
  return {message_json(turn, came, nullptr, content), ""};
}

}  // namespace

std::string shown_item(const transcript::Item& item, const std::optional<transcript::Turn>& turn,
                       bool spoken) {
  if (item.kind == transcript::ItemKind::message && turn) return shown_message(item, *turn, spoken);
  return tool_json(item);
}

RebuiltItem rebuilt_item(const transcript::Item& item,
                         const std::optional<transcript::Turn>& turn) {
  VERBATIM_EXPECTS(!turn || !turn->deleted);
  if (item.detail == transcript::detail_too_large) return {{}, "too_large"};
  if (item.detail == transcript::detail_not_kept) return {{}, "not_kept"};
  RebuiltItem rebuilt{{}, "no_text"};
  if (item.kind != transcript::ItemKind::message) {
    rebuilt = rebuilt_tool(item);
  } else if (turn) {
    rebuilt = rebuilt_message(item, *turn);
  }
  // Parts of the provider's JSON were copied in, so check that the result is JSON.
  if (!item.detail.empty() && !rebuilt.json.empty() && json::check(rebuilt.json))
    return {{}, "unreadable"};
  return rebuilt;
}

}  // namespace verbatim::protocol
