#include "session/captions.hpp"

#include <algorithm>
#include <cstdio>
#include <vector>

namespace verbatim::session {
namespace {

constexpr TimeMs shortest_cue_ms = 1000;  ///< a typed turn begins and ends at one moment

struct Cue {
  int attempt = 0;
  TimeMs begin = 0;
  TimeMs end = 0;
  std::string_view who;
  std::vector<std::string> lines;
};

/// The lines of a text that have something on them: an empty line would end the cue.
std::vector<std::string> lines_of(const std::string& text) {
  std::vector<std::string> lines;
  for (std::size_t at = 0; at < text.size();) {
    const std::size_t end = std::min(text.find_first_of("\r\n", at), text.size());
    const std::string line = text.substr(at, end - at);
    if (line.find_first_not_of(" \t") != line.npos) lines.push_back(line);
    at = end + 1;
  }
  return lines;
}

/// One cue for each turn that has words; times never run backwards, as both formats demand.
std::vector<Cue> cues_of(std::span<const TranscriptView> views) {
  std::optional<TimeMs> zero;
  for (const TranscriptView& view : views) {
    if (!zero) zero = view.started_at;
    for (const Turn& turn : view.turns)
      if (!zero) zero = turn.started_at;
  }

  std::vector<Cue> cues;
  TimeMs clock = 0;
  for (const TranscriptView& view : views) {
    for (const Turn& turn : view.turns) {
      Cue cue;
      cue.lines = lines_of(turn.text.utf8());
      if (cue.lines.empty()) continue;
      cue.attempt = view.attempt;
      cue.begin = turn.started_at ? std::max(clock, *turn.started_at - *zero) : clock;
      const TimeMs told_end = turn.ended_at && zero ? *turn.ended_at - *zero : cue.begin;
      cue.end = std::max(told_end, cue.begin + shortest_cue_ms);
      cue.who = speaker(turn.role);
      clock = cue.begin;
      cues.push_back(std::move(cue));
    }
  }
  return cues;
}

/// 01:02:03.004, with the given mark in front of the milliseconds.
std::string clock_time(TimeMs time, char mark) {
  char out[48];
  std::snprintf(
      out, sizeof out, "%02lld:%02lld:%02lld%c%03lld", static_cast<long long>(time / 3'600'000),
      static_cast<long long>(time / 60'000 % 60), static_cast<long long>(time / 1000 % 60), mark,
      static_cast<long long>(time % 1000));
  return out;
}

std::string time_line(const Cue& cue, char mark) {
  return clock_time(cue.begin, mark) + " --> " + clock_time(cue.end, mark) + "\n";
}

std::string vtt_escaped(const std::string& text) {
  std::string out;
  for (const char c : text) {
    if (c == '&') {
      out += "&amp;";
    } else if (c == '<') {
      out += "&lt;";
    } else if (c == '>') {
      out += "&gt;";
    } else if (c == '\0') {
      out += "\xEF\xBF\xBD";
    } else {
      out += c;
    }
  }
  return out;
}

}  // namespace

std::string_view speaker(Role role) {
  switch (role) {
    case Role::user:
      return "User";
    case Role::assistant:
      return "Assistant";
    case Role::system:
      return "System";
    case Role::unknown:
      break;
  }
  return "Unknown";
}

std::string render_vtt(std::span<const TranscriptView> views) {
  std::string file = "WEBVTT\n";
  int attempt = 0;
  for (const Cue& cue : cues_of(views)) {
    if (views.size() > 1 && cue.attempt != attempt)
      file.append("\nNOTE Attempt ").append(std::to_string(cue.attempt)).append("\n");
    attempt = cue.attempt;
    file.append("\n").append(time_line(cue, '.')).append("<v ").append(cue.who).append(">");
    for (const auto& line : cue.lines) file.append(vtt_escaped(line)).append("\n");
  }
  return file;
}

std::string render_srt(std::span<const TranscriptView> views) {
  std::string file;
  int number = 0;
  for (const Cue& cue : cues_of(views)) {
    if (number > 0) file += "\n";
    file.append(std::to_string(++number)).append("\n").append(time_line(cue, ','));
    file.append(cue.who).append(": ");
    for (const auto& line : cue.lines) file.append(line).append("\n");
  }
  return file;
}

}  // namespace verbatim::session
