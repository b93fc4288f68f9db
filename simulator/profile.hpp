// The simulated provider: how it differs from OpenAI. docs/providers.md has the sources of these
// differences. Plain values; pure functions.
#pragma once

#include <array>
#include <cstdint>
#include <memory>
#include <string_view>

namespace verbatim::simulator {

class Ids;
class Spelling;

struct Profile {
  /// The place in which the provider expects its API key.
  enum class Key { any, bearer, api_key_header, basic };

  std::string_view name;
  std::string_view path = "/v1/realtime";
  Key key = Key::any;
  /// Required query parameters.
  std::array<std::string_view, 2> parameters = {};

  /// Client events that the provider rejects as unknown, and the code of its error.
  std::array<std::string_view, 8> unknown_events = {};
  std::string_view unknown_event_code = "invalid_value";

  bool uuids = false;              ///< ids are UUIDs
  bool forgiving = false;          ///< ignores unknown settings, accepts the older flat ones
  bool any_rate = false;           ///< accepts PCM at other rates than 24 kHz
  bool detects_turns = true;       ///< false: the client commits, and the commit starts the answer
  bool transcribes = true;         ///< transcribes the user's speech
  bool early_items = false;        ///< a spoken item joins the conversation when speech begins
  bool growing_words = false;      ///< sends `completed` repeatedly as a transcription grows
  bool talks_before_call = false;  ///< sends a message before a function call, in one response
  bool echoes_items = false;       ///< sends conversation.item.created with the client's item
  bool announces_answers = true;   ///< sends response.created also for an automatic answer
  bool needs_deployments = false;  ///< transcription models are deployments with their own names
  std::int64_t ping_ms = 0;        ///< interval of `ping` events; 0: never
  std::int64_t session_ms = 3'600'000;

  /// Makes the translation of events into the provider's spelling; nullptr: as OpenAI.
  std::unique_ptr<Spelling> (*spelling)(Ids& ids) = nullptr;
};

/// The profile of this name; `openai` if empty. Throws std::invalid_argument with the known names.
const Profile& profile_named(std::string_view name);

/// The names of all profiles, for help and messages: "openai, azure, ...".
std::string_view profile_names();

}  // namespace verbatim::simulator
