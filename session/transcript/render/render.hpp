// Renders transcripts for people and programs. Shapes: server/api/openapi.json. Pure; any thread.
#pragma once

#include <optional>
#include <span>
#include <string>
#include <string_view>
#include <vector>

#include "session/transcript/close_reason.hpp"
#include "session/transcript/merge/merge.hpp"
#include "session/transcript/render/receipt.hpp"
#include "session/transcript/session_status.hpp"
#include "session/transcript/turn.hpp"

namespace verbatim::transcript {

/// The transcript of one attempt, with everything that the API shows of it.
struct TranscriptView {
  std::string session_id;
  int attempt = 1;
  SessionStatus status = SessionStatus::live;
  std::optional<TimeMs> started_at;
  std::optional<TimeMs> ended_at;
  std::optional<CloseReason> close_reason;
  bool complete = false;
  std::vector<Gap> gaps;
  std::vector<std::string> writers;
  std::vector<MergedTurn> turns;
  std::vector<ToolCall> tool_calls;
  std::optional<Receipt> receipt;  ///< of a final attempt

  void show(MergedTranscript merged);
};

enum class Format { json, jsonl, text, markdown, vtt, srt };
std::optional<Format> format_from_string(std::string_view);
std::string_view content_type(Format);

std::string render(const TranscriptView&, Format);
/// All attempts of a session in one document, oldest first.
std::string render(const std::string& session_id, std::span<const TranscriptView>, Format);
/// JSON of one element of `turns` or `tool_calls`, and of `receipt`.
std::string render_turn(const MergedTurn&);
/// `number`: its place among the calls, from 1; included for clients that follow the events.
std::string render_tool_call(const ToolCall&, std::size_t number);
std::string render_receipt(const Receipt&);

}  // namespace verbatim::transcript
