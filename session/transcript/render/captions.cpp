#include "session/transcript/render/captions.hpp"

#include <algorithm>
#include <cstdio>
#include <initializer_list>
#include <map>
#include <vector>

#include "base/utf8.hpp"

namespace verbatim::transcript {
namespace {

constexpr TimeMs shortest_cue_ms = 1000;  ///< a typed turn begins and ends at the same moment
/// Length of a cue that is cut at once: one video frame. Neither format allows cues without length.
constexpr TimeMs least_cue_ms = 40;
/// Longer than any session; sums of such times do not overflow.
constexpr TimeMs longest_cue_ms = 365LL * 86'400'000;

struct Cue {
  int attempt = 0;
  TimeMs begin = 0;
  TimeMs end = 0;
  Role role = Role::unknown;
  std::vector<std::string> lines;
};

bool is_one_of(std::string_view character, std::initializer_list<std::string_view> list) {
  return std::find(list.begin(), list.end(), character) != list.end();
}

/// Characters that end a line for some players and parsers: CR, LF, VT, FF, NEL, and Unicode's
/// separators of lines and paragraphs.
bool ends_line(std::string_view character) {
  return is_one_of(character, {"\r", "\n", "\v", "\f", "\xC2\x85", "\xE2\x80\xA8", "\xE2\x80\xA9"});
}

bool is_control(std::string_view character) {
  const auto first = static_cast<unsigned char>(character[0]);
  if (character.size() == 1) return (first < 0x20 && first != '\t') || first == 0x7F;
  return first == 0xC2 && static_cast<unsigned char>(character[1]) < 0xA0;
}

/// Unicode white space: some parsers read a line of nothing else as an empty line.
bool is_blank(std::string_view character) {
  if (character.size() == 3 && character.starts_with("\xE2\x80"))
    return static_cast<unsigned char>(character[2]) <= 0x8B || character[2] == '\xAF';
  return is_one_of(character, {" ", "\t", "\xC2\xA0", "\xE1\x9A\x80", "\xE2\x81\x9F",
                               "\xE3\x80\x80", "\xEF\xBB\xBF"});
}

/// The non-blank lines of a text; an empty line would end the cue. Control characters count as
/// blanks. Precondition: valid UTF-8.
std::vector<std::string> lines_of(std::string_view text) {
  std::vector<std::string> lines;
  std::string line;
  bool says_something = false;
  const auto end_line = [&] {
    if (says_something) lines.push_back(line);
    line.clear();
    says_something = false;
  };
  while (!text.empty()) {
    const std::string_view character =
        text.substr(0, std::max<std::size_t>(1, utf8::sequence_length(text)));
    text.remove_prefix(character.size());
    if (ends_line(character)) {
      end_line();
    } else if (is_control(character)) {
      line += ' ';
    } else {
      line += character;
      says_something = says_something || !is_blank(character);
    }
  }
  end_line();
  return lines;
}

/// An answer is generated faster than it plays, so its cue lasts as long as the audio that was
/// heard. Other cues last until the turn's last text.
TimeMs length_of(const Turn& turn) {
  TimeMs length = shortest_cue_ms;
  if (turn.audio_ms > 0) {
    length = turn.audio_ms;
  } else if (turn.started_at && turn.ended_at) {
    length = std::max(shortest_cue_ms, *turn.ended_at - *turn.started_at);
  }
  if (turn.heard) length = std::min(length, turn.heard->audio_ms);
  return std::clamp(length, least_cue_ms, longest_cue_ms);
}

/// Start of the first conversation, or of its first turn.
TimeMs zero_of(std::span<const TranscriptView> views) {
  for (const TranscriptView& view : views) {
    if (view.started_at) return *view.started_at;
    for (const Turn& turn : view.turns)
      if (turn.started_at) return *turn.started_at;
  }
  return 0;
}

/// One cue for each turn with text. Both formats require that times never run backwards. A
/// speaker's cue ends where the next one begins.
std::vector<Cue> cues_of(std::span<const TranscriptView> views) {
  const TimeMs zero = zero_of(views);
  std::map<Role, std::size_t> last_of;
  std::vector<Cue> cues;
  TimeMs clock = 0;
  for (const TranscriptView& view : views) {
    for (const Turn& turn : view.turns) {
      Cue cue{view.attempt, clock, 0, turn.role, lines_of(turn.text.utf8())};
      if (cue.lines.empty()) continue;
      if (turn.started_at) cue.begin = std::max(clock, *turn.started_at - zero);
      if (const auto last = last_of.find(turn.role); last != last_of.end()) {
        Cue& before = cues[last->second];
        cue.begin = std::max(cue.begin, before.begin + least_cue_ms);
        before.end = std::min(before.end, cue.begin);
      }
      cue.end = cue.begin + length_of(turn);
      clock = cue.begin;
      last_of[turn.role] = cues.size();
      cues.push_back(std::move(cue));
    }
  }
  return cues;
}

/// 01:02:03.004, with `mark` before the milliseconds.
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
    } else {
      out += c;
    }
  }
  return out;
}

/// SubRip has no escapes, and some readers take any line with an arrow for a line of times.
std::string srt_text(std::string text) {
  for (auto at = text.find("-->"); at != text.npos; at = text.find("-->", at))
    text.replace(at, 3, "-- >");
  return text;
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
    file.append("\n")
        .append(time_line(cue, '.'))
        .append("<v ")
        .append(speaker(cue.role))
        .append(">");
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
    file.append(speaker(cue.role)).append(": ");
    for (const auto& line : cue.lines) file.append(srt_text(line)).append("\n");
  }
  return file;
}

}  // namespace verbatim::transcript
