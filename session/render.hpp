// A transcript as people and programs read it. Shapes: the interface, section 4. Pure.
#pragma once

#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "session/close_reason.hpp"
#include "session/turn.hpp"

namespace verbatim::session {

enum class SessionStatus : std::uint8_t { created = 0, live = 1, detached = 2, final = 3 };
std::string_view to_string(SessionStatus);
std::optional<SessionStatus> session_status_from_string(std::string_view);

/// One attempt's transcript with everything that the interface shows of it.
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
  std::vector<Turn> turns;
};

enum class Format { json, jsonl, text, markdown, vtt, srt };
std::optional<Format> format_from_string(std::string_view);
std::string_view content_type(Format);

std::string render(const TranscriptView&, Format);

/// 2026-11-23T21:50:51.123Z
std::string iso_time(TimeMs);

}  // namespace verbatim::session
