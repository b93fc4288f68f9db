#include "session/protocol/clients/beta_shapes.hpp"

#include <algorithm>
#include <span>

#include "base/json/writer.hpp"

namespace verbatim::protocol::beta {
namespace {

using json::Elements;
using json::Kind;
using json::Members;
using json::ObjectWriter;
using json::View;

using Convert = std::string (*)(View);

std::string as_it_is(View value) { return std::string(value.raw()); }

template <Convert one>
std::string list_of(View array) {
  if (!array.is(Kind::array)) return as_it_is(array);
  std::string out = "[";
  for (Elements elements(array); elements.next();) {
    if (out.size() > 1) out += ',';
    out += one(elements.value());
  }
  return out + ']';
}

// ---- Values ----

bool has_audio(View modalities) {
  for (Elements elements(modalities); elements.next();)
    if (elements.value().between_quotes() == "audio") return true;
  return false;
}

// In GA, audio includes its transcript, and text beside audio is refused.
std::string ga_modalities(View value) {
  return has_audio(value) ? std::string(R"(["audio"])") : as_it_is(value);
}
std::string beta_modalities(View value) {
  return has_audio(value) ? std::string(R"(["text","audio"])") : as_it_is(value);
}

struct Format {
  std::string_view beta;
  std::string_view ga_type;
  std::string_view ga;
};
constexpr std::int64_t pcm_rate = 24'000;
constexpr Format formats[] = {
    {"pcm16", "audio/pcm", R"({"type":"audio/pcm","rate":24000})"},
    {"g711_ulaw", "audio/pcmu", R"({"type":"audio/pcmu"})"},
    {"g711_alaw", "audio/pcma", R"({"type":"audio/pcma"})"},
};

std::string ga_format(View value) {
  for (const Format& format : formats)
    if (value.between_quotes() == format.beta) return std::string(format.ga);
  return as_it_is(value);
}
std::string beta_format(View value) {
  // Beta has no name for other rates: keep GA's format, so that no wrong rate is announced.
  if (value["rate"].integer().value_or(pcm_rate) != pcm_rate) return as_it_is(value);
  for (const Format& format : formats)
    if (value["type"].between_quotes() == format.ga_type) return json::quoted(format.beta);
  return as_it_is(value);
}

// ---- Members and their place in each dialect ----

enum class Section { top, input, output };  ///< in GA: of the object itself or of its `audio`

struct Member {
  std::string_view beta;  ///< empty: beta has no such member
  Section place;
  std::string_view ga;  ///< empty: GA has no such member
  Convert to_ga = as_it_is;
  Convert to_beta = as_it_is;
};

constexpr Member modalities{"modalities", Section::top, "output_modalities", ga_modalities,
                            beta_modalities};
constexpr Member voice{"voice", Section::output, "voice"};
constexpr Member speed{"speed", Section::output, "speed"};
constexpr Member output_format{"output_audio_format", Section::output, "format", ga_format,
                               beta_format};
constexpr Member input_format{"input_audio_format", Section::input, "format", ga_format,
                              beta_format};
constexpr Member transcription{"input_audio_transcription", Section::input, "transcription"};
constexpr Member noise_reduction{"input_audio_noise_reduction", Section::input, "noise_reduction"};
constexpr Member turn_detection{"turn_detection", Section::input, "turn_detection"};
constexpr Member most_tokens{"max_response_output_tokens", Section::top, "max_output_tokens"};
constexpr Member no_temperature{"temperature", Section::top, ""};
constexpr Member no_secret{"client_secret", Section::top, ""};
constexpr Member no_modalities{"modalities", Section::top, ""};
constexpr Member no_type{"", Section::top, "type"};
constexpr Member input_items{"input", Section::top, "input", list_of<ga_item>};
constexpr Member output_items{"output", Section::top, "output", as_it_is, list_of<beta_item>};

constexpr Member session_members[] = {modalities,   voice,          speed,           output_format,
                                      input_format, transcription,  noise_reduction, turn_detection,
                                      most_tokens,  no_temperature, no_secret,       no_type};
constexpr Member transcription_members[] = {input_format,   transcription,  noise_reduction,
                                            turn_detection, no_temperature, no_secret,
                                            no_modalities};
constexpr Member response_create_members[] = {modalities,  voice,          output_format,
                                              most_tokens, no_temperature, input_items};
// In a response, beta uses GA's name max_output_tokens.
constexpr Member response_members[] = {modalities, voice, output_format, output_items};

using MemberList = std::span<const Member>;

template <class Wanted>
const Member* find(MemberList members, Wanted wanted) {
  const auto found = std::find_if(members.begin(), members.end(), wanted);
  return found == members.end() ? nullptr : &*found;
}

std::string nest(View flat, MemberList members, std::string_view type = {}) {
  // An object with `audio` has GA's shape, even if the client announced beta.
  if (!flat.is(Kind::object) || flat["audio"].exists()) return as_it_is(flat);
  ObjectWriter top;
  ObjectWriter input;
  ObjectWriter output;
  if (!type.empty() && !flat["type"].exists()) top.add("type", json::quoted(type));
  for (Members own(flat); own.next();) {
    const Member* moved = find(members, [&](const Member& one) { return one.beta == own.key(); });
    if (moved == nullptr || own.key().empty()) {
      top.add(own.key(), own.value().raw());
    } else if (!moved->ga.empty()) {
      ObjectWriter& where = moved->place == Section::top     ? top
                            : moved->place == Section::input ? input
                                                             : output;
      where.add(moved->ga, moved->to_ga(own.value()));
    }
  }
  ObjectWriter audio;
  if (!input.empty()) audio.add("input", input.text());
  if (!output.empty()) audio.add("output", output.text());
  if (!audio.empty()) top.add("audio", audio.text());
  return top.text();
}

void flatten(View nested, Section place, MemberList members, ObjectWriter& out) {
  for (Members own(nested); own.next();) {
    const Member* moved = find(members, [&](const Member& one) {
      return !one.ga.empty() && one.place == place && one.ga == own.key();
    });
    if (moved == nullptr && place == Section::top && own.key() != "audio")
      out.add(own.key(), own.value().raw());
    if (moved != nullptr && !moved->beta.empty()) out.add(moved->beta, moved->to_beta(own.value()));
  }
}

std::string unnest(View nested, MemberList members) {
  if (!nested.is(Kind::object)) return as_it_is(nested);
  ObjectWriter out;
  flatten(nested, Section::top, members, out);
  flatten(nested["audio"]["input"], Section::input, members, out);
  flatten(nested["audio"]["output"], Section::output, members, out);
  return out.text();
}

// ---- Items ----

std::string retyped(View part, std::string_view type) {
  ObjectWriter out;
  for (Members own(part); own.next();)
    out.add(own.key(), own.key() == "type" ? json::quoted(type) : as_it_is(own.value()));
  return out.text();
}

template <bool assistant>
std::string ga_part(View part) {
  const auto type = part["type"].between_quotes();
  if (type == "text") return retyped(part, assistant ? "output_text" : "input_text");
  if (type == "audio") return retyped(part, assistant ? "output_audio" : "input_audio");
  return as_it_is(part);
}

}  // namespace

std::string ga_session(View session) { return nest(session, session_members, "realtime"); }

std::string ga_transcription_session(View session) {
  return nest(session, transcription_members, "transcription");
}

std::string ga_response(View response) { return nest(response, response_create_members); }

std::string ga_item(View item) {
  if (!item.is(Kind::object)) return as_it_is(item);
  const bool assistant = item["role"].between_quotes() == "assistant";
  const Convert content = assistant ? list_of<ga_part<true>> : list_of<ga_part<false>>;
  ObjectWriter out;
  for (Members own(item); own.next();)
    out.add(own.key(), own.key() == "content" ? content(own.value()) : as_it_is(own.value()));
  return out.text();
}

std::string beta_session(View session) { return unnest(session, session_members); }

std::string beta_response(View response) { return unnest(response, response_members); }

std::string beta_item(View item) {
  if (!item.is(Kind::object)) return as_it_is(item);
  ObjectWriter out;
  for (Members own(item); own.next();)
    out.add(own.key(),
            own.key() == "content" ? list_of<beta_part>(own.value()) : as_it_is(own.value()));
  out.add("object", json::quoted("realtime.item"));
  return out.text();
}

std::string beta_part(View part) {
  const auto type = part["type"].between_quotes();
  if (type == "output_text") return retyped(part, "text");
  if (type == "output_audio") return retyped(part, "audio");
  return as_it_is(part);
}

namespace {

/// "session.audio.input.turn_detection.type" -> "session.turn_detection.type".
std::string beta_path(std::string_view path) {
  for (const std::string_view object : {"session.", "response."}) {
    if (!path.starts_with(object)) continue;
    const std::string_view inside = path.substr(object.size());
    for (const Member& member : session_members) {
      if (member.ga.empty() || member.beta.empty()) continue;
      const std::string_view where = member.place == Section::input    ? "audio.input."
                                     : member.place == Section::output ? "audio.output."
                                                                       : "";
      const std::size_t length = where.size() + member.ga.size();
      if (!inside.starts_with(where) || !inside.substr(where.size()).starts_with(member.ga))
        continue;
      const std::string_view rest = inside.substr(length);
      if (rest.empty() || rest.front() == '.' || rest.front() == '[')
        return std::string(object).append(member.beta).append(rest);
    }
  }
  return std::string(path);
}

}  // namespace

std::string beta_error(View error) {
  if (!error.is(Kind::object)) return as_it_is(error);
  ObjectWriter out;
  for (Members own(error); own.next();) {
    const bool names_field = own.key() == "param" && own.value().is(Kind::string);
    out.add(own.key(), names_field ? json::quoted(beta_path(own.value().between_quotes()))
                                   : as_it_is(own.value()));
  }
  return out.text();
}

}  // namespace verbatim::protocol::beta
