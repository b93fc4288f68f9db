#include "session/transcript/render/render.hpp"

#include <algorithm>
#include <chrono>
#include <cstdio>

#include "base/enum_names.hpp"
#include "base/json/dump.hpp"
#include "base/json/tree.hpp"
#include "session/transcript/render/captions.hpp"

namespace verbatim::transcript {
namespace {

constexpr Name<Format> formats[] = {
    {Format::json, "json"},         {Format::jsonl, "jsonl"}, {Format::text, "text"},
    {Format::markdown, "markdown"}, {Format::vtt, "vtt"},     {Format::srt, "srt"},
};

// ---- Formats for programs ----

OrderedJson time_or_null(const std::optional<TimeMs>& time) {
  return time ? OrderedJson(iso_time(*time)) : OrderedJson(nullptr);
}

OrderedJson turn_json(const MergedTurn& turn) {
  OrderedJson json = {
      {"ordinal", turn.ordinal},
      {"item_id", turn.item_id.empty() ? OrderedJson(nullptr) : OrderedJson(turn.item_id)},
      {"role", to_string(turn.role)},
      {"status", to_string(turn.status)},
      {"text", turn.text.utf8()},
      {"started_at", time_or_null(turn.started_at)},
      {"ended_at", time_or_null(turn.ended_at)},
      {"heard", nullptr},
      {"writers", turn.writers},
      {"response_id", nullptr}};
  if (turn.heard)
    json["heard"] = {
        {"audio_ms", turn.heard->audio_ms},
        {"text", turn.heard->text ? OrderedJson(turn.heard->text->utf8()) : OrderedJson(nullptr)}};
  if (!turn.response_id.empty()) json["response_id"] = turn.response_id;
  if (!turn.reason.empty()) json["reason"] = turn.reason;
  if (turn.deleted) json["deleted"] = true;
  if (turn.audio_ms > 0) json["audio_ms"] = turn.audio_ms;
  if (turn.first_audio_ms) json["first_audio_ms"] = *turn.first_audio_ms;
  for (const Version& version : turn.versions)
    json["versions"].push_back({{"writer", version.writer},
                                {"status", to_string(version.status)},
                                {"text", version.text.utf8()}});
  return json;
}

OrderedJson string_or_null(const std::string& text) {
  return text.empty() ? OrderedJson(nullptr) : OrderedJson(text);
}

OrderedJson tool_call_json(const ToolCall& call) {
  OrderedJson json = {
      {"after", call.after},
      {"item_id", string_or_null(call.item_id)},
      {"call_id", string_or_null(call.call_id)},
      {"kind", to_string(call.kind)},
      {"name", call.name},
      {"arguments", call.arguments.utf8()},
      {"output", call.output ? OrderedJson(call.output->utf8()) : OrderedJson(nullptr)},
      {"status", to_string(call.status)},
      {"response_id", string_or_null(call.response_id)},
      {"started_at", time_or_null(call.started_at)},
      {"ended_at", time_or_null(call.ended_at)}};
  if (call.kind == ToolKind::mcp) {
    json["server_label"] = string_or_null(call.server);
    const OrderedJson error =
        OrderedJson::parse(call.error.utf8(), nullptr, /*allow_exceptions=*/false);
    json["error"] = error.is_discarded() ? string_or_null(call.error.utf8()) : error;
  }
  if (call.approval) {
    const std::optional<bool>& approved = call.approval->approved;
    json["approval"] = {{"request_id", call.approval->request_id},
                        {"approve", approved ? OrderedJson(*approved) : OrderedJson(nullptr)},
                        {"reason", string_or_null(call.approval->reason.utf8())}};
  }
  if (call.deleted) json["deleted"] = true;
  return json;
}

/// Calls the functions for turns and tool calls, in the conversation's order.
template <class OnTurn, class OnCall>
void walk(const TranscriptView& view, const OnTurn& on_turn, const OnCall& on_call) {
  auto call = view.tool_calls.begin();
  for (const MergedTurn& turn : view.turns) {
    for (; call != view.tool_calls.end() && call->after < turn.ordinal; ++call) on_call(*call);
    on_turn(turn);
  }
  for (; call != view.tool_calls.end(); ++call) on_call(*call);
}

/// Ids come from the provider and may be invalid UTF-8; bad bytes are replaced.
std::string json_line(const OrderedJson& json) { return dump(json) + "\n"; }

OrderedJson gaps_json(const std::vector<Gap>& gaps) {
  OrderedJson list = OrderedJson::array();
  for (const Gap& gap : gaps) {
    OrderedJson& shown =
        list.emplace_back(OrderedJson{{"item_id", gap.item_id}, {"kind", to_string(gap.kind)}});
    if (gap.kind == GapKind::missing_position || gap.kind == GapKind::unplaced_text)
      shown["after"] = gap.after;
    if (gap.kind == GapKind::unplaced_text) shown["count"] = gap.count;
  }
  return list;
}

OrderedJson receipt_json(const Receipt& receipt) {
  OrderedJson shown = {{"committed", receipt.committed},
                       {"with_text", receipt.with_text},
                       {"interrupted", receipt.interrupted},
                       {"failed", receipt.failed},
                       {"tool_calls", receipt.tool_calls},
                       {"tool_calls_failed", receipt.tool_calls_failed},
                       {"tool_calls_unanswered", receipt.tool_calls_unanswered},
                       {"complete", receipt.complete},
                       {"gaps", gaps_json(receipt.gaps)},
                       {"form", receipt_form},
                       {"sha256", receipt.sha256}};
  if (receipt.repaired > 0) shown["repaired"] = receipt.repaired;
  if (receipt.tail_pending) shown["tail_pending"] = "node";
  return shown;
}

OrderedJson view_json(const TranscriptView& view) {
  OrderedJson turns = OrderedJson::array();
  for (const MergedTurn& turn : view.turns) turns.push_back(turn_json(turn));
  OrderedJson calls = OrderedJson::array();
  for (const ToolCall& call : view.tool_calls) calls.push_back(tool_call_json(call));
  return {{"session_id", view.session_id},
          {"attempt", view.attempt},
          {"status", to_string(view.status)},
          {"ended_at", time_or_null(view.ended_at)},
          {"close_reason",
           view.close_reason ? OrderedJson(to_string(*view.close_reason)) : OrderedJson(nullptr)},
          {"complete", view.complete},
          {"gaps", gaps_json(view.gaps)},
          {"writers", view.writers},
          {"receipt", view.receipt ? receipt_json(*view.receipt) : OrderedJson(nullptr)},
          {"turns", turns},
          {"tool_calls", calls}};
}

std::string render_json(const TranscriptView& view) { return json_line(view_json(view)); }

std::string render_jsonl(const TranscriptView& view) {
  std::string lines;
  walk(
      view, [&](const MergedTurn& turn) { lines += json_line(turn_json(turn)); },
      [&](const ToolCall& call) { lines += json_line(tool_call_json(call)); });
  return lines;
}

/// Each line names its attempt, so it can be read alone.
std::string render_jsonl(std::span<const TranscriptView> views) {
  std::string lines;
  for (const TranscriptView& view : views) {
    const auto add = [&](const OrderedJson& shown) {
      OrderedJson line = {{"attempt", view.attempt}};
      line.update(shown);
      lines += json_line(line);
    };
    walk(
        view, [&](const MergedTurn& turn) { add(turn_json(turn)); },
        [&](const ToolCall& call) { add(tool_call_json(call)); });
  }
  return lines;
}

// ---- Formats for people ----

/// Status, reason and other remarks on a turn; empty if there are none.
std::string remark(const Turn& turn) {
  std::string out;
  const auto add = [&out](std::string_view what) {
    out.append(out.empty() ? "" : ", ").append(what);
  };
  if (turn.status != TurnStatus::completed) add(to_string(turn.status));
  if (!turn.reason.empty()) add(turn.reason);
  if (turn.heard) add("heard " + std::to_string(turn.heard->audio_ms) + " ms");
  if (turn.deleted) add("deleted");
  return out;
}

/// The same for a tool call.
std::string remark(const ToolCall& call) {
  std::string out;
  const auto add = [&out](std::string_view what) {
    out.append(out.empty() ? "" : ", ").append(what);
  };
  if (call.approval && call.approval->approved)
    add(*call.approval->approved ? "approved" : "not approved");
  if (call.status != ToolStatus::completed) add(to_string(call.status));
  if (call.deleted) add("deleted");
  return out;
}

/// "Tool weather", "Tool find (handbook)", on one line.
std::string title(const ToolCall& call) {
  std::string out = "Tool";
  if (!call.name.empty()) out += " " + call.name;
  if (!call.server.empty()) out += " (" + call.server + ")";
  std::replace_if(
      out.begin(), out.end(), [](char c) { return c == '\n' || c == '\r'; }, ' ');
  return Text::from_wtf8(std::move(out)).utf8();
}

/// Removes white space at the ends: it is data in the JSON, but clutter on a page.
std::string tidy(const Text& text) {
  const std::string all = text.utf8();
  const auto first = all.find_first_not_of(" \t\r\n");
  if (first == all.npos) return {};
  return all.substr(first, all.find_last_not_of(" \t\r\n") - first + 1);
}

std::string replace_all(std::string text, std::string_view what, std::string_view with) {
  for (auto at = text.find(what); at != text.npos; at = text.find(what, at + with.size()))
    text.replace(at, what.size(), with);
  return text;
}

std::string gap_line(const Gap& gap) {
  return "missing: " + std::string(to_string(gap.kind)) +
         (gap.item_id.empty() ? "" : " (" + gap.item_id + ")") +
         (gap.kind == GapKind::missing_position || gap.kind == GapKind::unplaced_text
              ? " after turn " + std::to_string(gap.after)
              : "");
}

std::string render_text(const TranscriptView& view) {
  std::string page;
  const auto indented = [](const Text& text) { return replace_all(tidy(text), "\n", "\n    "); };
  const auto add_turn = [&](const Turn& turn) {
    const auto note = remark(turn);
    page += speaker(turn.role);
    if (!note.empty()) page += " [" + note + "]";
    page += ": " + indented(turn.text) + "\n";
  };
  const auto add_call = [&](const ToolCall& call) {
    const auto note = remark(call);
    page += title(call);
    if (!note.empty()) page += " [" + note + "]";
    page += ": " + indented(call.arguments) + "\n";
    if (call.output) page += "    -> " + indented(*call.output) + "\n";
    if (!call.error.empty()) page += "    error: " + indented(call.error) + "\n";
  };
  walk(view, add_turn, add_call);
  for (const Gap& gap : view.gaps) page += "[" + gap_line(gap) + "]\n";
  return page;
}

/// Escapes characters of the text that Markdown would read as markup.
std::string markdown_escaped(const std::string& text) {
  std::string out;
  bool line_begins = true;
  for (const char c : text) {
    const bool anywhere = std::string_view("\\`*_[]<>&|~").find(c) != std::string_view::npos;
    const bool at_front =
        line_begins && std::string_view("#+-=.)").find(c) != std::string_view::npos;
    if (anywhere || at_front) out += '\\';
    out += c;
    // A number before a dot would begin a list.
    line_begins = c == '\n' || (line_begins && (c == ' ' || (c >= '0' && c <= '9')));
  }
  return replace_all(std::move(out), "\n", "  \n");
}

std::string markdown_title(const std::string& session_id) {
  return "# Transcript " + markdown_escaped(session_id) + "\n";
}

std::string markdown_turns(const TranscriptView& view) {
  std::string page;
  const auto end_with = [&page](const std::string& note) {
    if (!note.empty()) page += " _(" + markdown_escaped(note) + ")_";
    page += "\n";
  };
  const auto add_turn = [&](const Turn& turn) {
    page.append("\n**").append(speaker(turn.role)).append(":** ");
    page += markdown_escaped(tidy(turn.text));
    end_with(remark(turn));
  };
  const auto add_call = [&](const ToolCall& call) {
    page += "\n**" + markdown_escaped(title(call)) + ":** ";
    page += markdown_escaped(tidy(call.arguments));
    if (call.output) page += "  \n\u2192 " + markdown_escaped(tidy(*call.output));
    if (!call.error.empty()) page += "  \nerror: " + markdown_escaped(tidy(call.error));
    end_with(remark(call));
  };
  walk(view, add_turn, add_call);
  for (const Gap& gap : view.gaps) page += "\n_" + markdown_escaped(gap_line(gap)) + "_\n";
  return page;
}

std::string render_markdown(const TranscriptView& view) {
  return markdown_title(view.session_id) + markdown_turns(view);
}

}  // namespace

void TranscriptView::show(MergedTranscript merged) {
  if (status == SessionStatus::final) receipt = receipt_of(session_id, attempt, merged);
  complete = merged.complete;
  gaps = std::move(merged.gaps);
  writers = std::move(merged.writers);
  turns = std::move(merged.turns);
  tool_calls = std::move(merged.tool_calls);
}

std::optional<Format> format_from_string(std::string_view name) { return value_of(name, formats); }

std::string_view content_type(Format format) {
  switch (format) {
    case Format::json:
      return "application/json";
    case Format::jsonl:
      return "application/jsonl";
    case Format::text:
      return "text/plain; charset=utf-8";
    case Format::markdown:
      return "text/markdown; charset=utf-8";
    case Format::vtt:
      return "text/vtt; charset=utf-8";
    case Format::srt:
      return "application/x-subrip; charset=utf-8";
  }
  return "application/octet-stream";
}

std::string render(const TranscriptView& view, Format format) {
  switch (format) {
    case Format::json:
      return render_json(view);
    case Format::jsonl:
      return render_jsonl(view);
    case Format::text:
      return render_text(view);
    case Format::markdown:
      return render_markdown(view);
    case Format::vtt:
      return render_vtt({&view, 1});
    case Format::srt:
      return render_srt({&view, 1});
  }
  return {};
}

std::string render(const std::string& session_id, std::span<const TranscriptView> views,
                   Format format) {
  std::string out;
  switch (format) {
    case Format::json: {
      OrderedJson attempts = OrderedJson::array();
      for (const TranscriptView& view : views) attempts.push_back(view_json(view));
      return json_line({{"session_id", session_id}, {"attempts", attempts}});
    }
    case Format::jsonl:
      return render_jsonl(views);
    case Format::text:
      for (const TranscriptView& view : views) {
        if (!out.empty()) out += "\n";
        out += "Attempt " + std::to_string(view.attempt) + "\n" + render_text(view);
      }
      return out;
    case Format::markdown:
      out = markdown_title(session_id);
      for (const TranscriptView& view : views)
        out += "\n## Attempt " + std::to_string(view.attempt) + "\n" + markdown_turns(view);
      return out;
    case Format::vtt:
      return render_vtt(views);
    case Format::srt:
      return render_srt(views);
  }
  return {};
}

std::string render_turn(const MergedTurn& turn) {
  std::string line = json_line(turn_json(turn));
  line.pop_back();
  return line;
}

std::string render_tool_call(const ToolCall& call, std::size_t number) {
  OrderedJson shown = {{"number", number}};
  shown.update(tool_call_json(call));
  std::string line = json_line(shown);
  line.pop_back();
  return line;
}

std::string render_receipt(const Receipt& receipt) { return json_line(receipt_json(receipt)); }

}  // namespace verbatim::transcript
