#include "simulator/profile.hpp"

#include <algorithm>
#include <array>
#include <stdexcept>
#include <string>

#include "simulator/spelling.hpp"

namespace verbatim::simulator {

namespace {

using Key = Profile::Key;

constexpr std::array<Profile, 6> profiles = {{
    {.name = "openai", .key = Key::bearer},
    {.name = "azure",
     .path = "/openai/v1/realtime",
     .key = Key::api_key_header,
     .needs_deployments = true},
    {.name = "xai",
     .key = Key::bearer,
     .unknown_events = {"conversation.item.retrieve", "conversation.item.truncate"},
     .unknown_event_code = "unknown_event",
     .uuids = true,
     .forgiving = true,
     .any_rate = true,
     .early_items = true,
     .growing_words = true,
     .talks_before_call = true,
     .ping_ms = 5'000,
     .spelling = xai_spelling},
    {.name = "inworld",
     .path = "/api/v1/realtime/session",
     .key = Key::basic,
     .parameters = {"key", "protocol"},
     .forgiving = true,
     .spelling = inworld_spelling},
    {.name = "speech-to-speech",
     .unknown_events = {"input_audio_buffer.clear", "conversation.item.retrieve",
                        "conversation.item.delete", "conversation.item.truncate"},
     .unknown_event_code = "unknown_or_invalid_event",
     .forgiving = true,
     .any_rate = true,
     .echoes_items = true,
     .announces_answers = false,
     .spelling = speech_to_speech_spelling},
    {.name = "vllm-omni",
     .unknown_events = {"input_audio_buffer.clear", "conversation.item.create",
                        "conversation.item.retrieve", "conversation.item.delete",
                        "conversation.item.truncate", "response.create", "response.cancel"},
     .unknown_event_code = "unknown_event",
     .forgiving = true,
     .any_rate = true,
     .detects_turns = false,
     .transcribes = false,
     .spelling = vllm_omni_spelling},
}};

constexpr std::string_view names = "openai, azure, xai, inworld, speech-to-speech, vllm-omni";

}  // namespace

const Profile& profile_named(std::string_view name) {
  if (name.empty()) return profiles.front();
  const auto* const found =
      std::find_if(profiles.begin(), profiles.end(),
                   [name](const Profile& profile) { return profile.name == name; });
  if (found != profiles.end()) return *found;
  throw std::invalid_argument("no provider's profile is called '" + std::string(name) +
                              "'; there are " + std::string(names));
}

std::string_view profile_names() { return names; }

}  // namespace verbatim::simulator
