// Which provider is simulated: what those that speak this protocol do otherwise than OpenAI. Where
// each was seen to do so is in docs/providers.md. Plain values; pure.
#pragma once

#include <array>
#include <cstdint>
#include <memory>
#include <string_view>

namespace verbatim::simulator {

class Ids;
class Spelling;

struct Profile {
  /// How it wants to be given its key.
  enum class Key { any, bearer, api_key_header, basic };

  std::string_view name;
  std::string_view path = "/v1/realtime";
  Key key = Key::any;
  /// Parameters of the query that it wants, besides.
  std::array<std::string_view, 2> parameters = {};

  /// Client events that it has no name for, and the code of its complaint about one.
  std::array<std::string_view, 8> unknown_events = {};
  std::string_view unknown_event_code = "invalid_value";

  bool uuids = false;              ///< its ids are UUIDs
  bool forgiving = false;          ///< unknown settings are ignored, the older flat ones understood
  bool any_rate = false;           ///< PCM at other rates than 24 kHz
  bool detects_turns = true;       ///< false: the client commits, and that begins the answer
  bool transcribes = true;         ///< what the user says is put in words
  bool early_items = false;        ///< a spoken item joins the conversation when speech begins
  bool growing_words = false;      ///< a transcription is completed again and again as it grows
  bool talks_before_call = false;  ///< a function call stands behind a message, in one response
  bool echoes_items = false;       ///< conversation.item.created with the item as it was sent
  bool announces_answers = true;   ///< response.created also for an answer nobody asked for
  bool needs_deployments = false;  ///< transcription models are deployments with own names
  std::int64_t ping_ms = 0;        ///< a `ping` event so often; 0: never
  std::int64_t session_ms = 3'600'000;

  /// In what words it says things; nullptr: as OpenAI does.
  std::unique_ptr<Spelling> (*spelling)(Ids& ids) = nullptr;
};

/// `openai` if it is empty. Throws std::invalid_argument that lists what there is.
const Profile& profile_named(std::string_view name);

/// The names of all of them, for help and messages: "openai, azure, ...".
std::string_view profile_names();

}  // namespace verbatim::simulator
