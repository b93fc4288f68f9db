#include "session/policy/known_members.hpp"

#include <algorithm>

#include "base/ascii.hpp"
#include "base/comma_list.hpp"
#include "base/edit_distance.hpp"

namespace verbatim::policy {

namespace {

constexpr std::size_t shown_name_max = 64;

std::string in_lower_case(std::string_view text) {
  return lower_case(text.substr(0, shown_name_max));
}

}  // namespace

std::string shown_name(std::string_view name) {
  std::string shown(name.substr(0, shown_name_max));
  for (char& c : shown)
    if (c < ' ' || c > '~') c = '?';
  if (name.size() > shown_name_max) shown += "...";
  return shown;
}

std::string not_known(std::string_view name, const std::vector<std::string_view>& known) {
  const std::string wanted = in_lower_case(name);
  // A shortened name, or one with a word more, counts as near; the length of the rest does not
  // matter.
  const auto distance = [&wanted](std::string_view one) {
    constexpr std::size_t word_min = 3;
    const bool begins =
        wanted.size() >= word_min && (one.starts_with(wanted) || wanted.starts_with(one));
    return begins ? std::size_t{1} : edit_distance(wanted, one);
  };
  const auto nearest = std::min_element(
      known.begin(), known.end(),
      [&](std::string_view a, std::string_view b) { return distance(a) < distance(b); });
  return "is not known; the nearest known name is " + std::string(*nearest) +
         " (known: " + comma_list(known) + ")";
}

bool is_misspelt(std::string_view name, std::string_view known) {
  constexpr std::size_t edits_max = 2;
  return edit_distance(in_lower_case(name), known) <= edits_max;
}

std::optional<MisspeltField> misspelt_field(std::string_view path) {
  static constexpr std::string_view known[] = {
      "all", "bound",
      // Fields of a session (the provider's reference, session.update), with those of the beta
      // protocol.
      "audio", "format", "include", "input", "input_audio_format", "input_audio_noise_reduction",
      "input_audio_transcription", "instructions", "language", "max_output_tokens",
      "max_response_output_tokens", "modalities", "model", "noise_reduction", "output",
      "output_audio_format", "output_modalities", "parallel_tool_calls", "prompt", "reasoning",
      "speed", "temperature", "tool_choice", "tools", "tracing", "transcription", "truncation",
      "turn_detection", "type", "voice"};
  while (!path.empty()) {
    const std::string_view part = path.substr(0, path.find('.'));
    path.remove_prefix(std::min(part.size() + 1, path.size()));
    if (part.size() < 4 || std::find(std::begin(known), std::end(known), part) != std::end(known))
      continue;
    for (const std::string_view one : known) {
      const std::size_t edits = edit_distance(in_lower_case(part), one);
      if (edits <= (one.size() < 6 ? 1 : 2))
        return MisspeltField{std::string(part), std::string(one)};
    }
  }
  return std::nullopt;
}

std::string member_name(const verbatim::json::Members& member) {
  const std::string literal = '"' + std::string(member.key()) + '"';
  return verbatim::json::View::of(literal).string_or_empty();
}

std::optional<std::string> wrong_member(verbatim::json::View object, std::string_view place,
                                        const std::vector<std::string_view>& known) {
  std::vector<std::string> seen;
  for (verbatim::json::Members members(object); members.next();) {
    std::string name = member_name(members);
    const std::string at = "'" + std::string(place) + shown_name(name) + "' ";
    if (std::find(known.begin(), known.end(), name) == known.end())
      return at + not_known(name, known) + ".";
    if (std::find(seen.begin(), seen.end(), name) != seen.end()) return at + "occurs twice.";
    seen.push_back(std::move(name));
  }
  return std::nullopt;
}

}  // namespace verbatim::policy
