// What the relay says on its own account. To the provider: the configuration bound to a token, and
// input transcription, without which there is no user transcript. To the client: faults in the
// provider's shape, and the verbatim.* events that it asked for. Pure.
#pragma once

#include <cstdint>
#include <string>
#include <string_view>

#include "session/budget.hpp"
#include "session/rebuild.hpp"
#include "session/transcript/close_reason.hpp"
#include "session/transcript/turn.hpp"

namespace verbatim::session {

/// Prefix of the event_id of every event that the relay sends on its own account.
inline constexpr std::string_view own_event_prefix = "verbatim_";

/// Of the provider's session: one converses, the other only writes down what is said.
enum class SessionType { realtime, transcription };

/// The event_ids of what the relay asks of the provider.
inline constexpr std::string_view configure_event_id = "verbatim_configure";
inline constexpr std::string_view transcription_event_id = "verbatim_transcription";
inline constexpr std::string_view commit_event_id = "verbatim_commit";
inline constexpr std::string_view response_event_id = "verbatim_response";
inline constexpr std::string_view rebuilt_item_prefix = "verbatim_rebuild:";
/// An error that names this event_id answers the relay, not its client.
bool is_own_request(std::string_view event_id);

/// A session.update that carries `config_json` (the `session` object of a client secret). If it
/// wants no input transcription or says nothing about it, and `transcription_model` is not empty,
/// that is added: the transcript needs it. Empty result: there is nothing to send. Precondition:
/// config_json is empty or a JSON object. Of a transcription session only what such a session can
/// have is sent: its input, and `include`.
std::string configuration_update(std::string_view config_json, std::string_view transcription_model,
                                 SessionType type = SessionType::realtime);

/// Whether a token's `session` object sets anything that a client can see.
bool binds_settings(std::string_view config_json);

/// A session.update that switches input transcription on and touches nothing else.
std::string transcription_update(std::string_view transcription_model,
                                 SessionType type = SessionType::realtime);

/// What is said for a client that left in mid-speech, so that its last words are transcribed.
std::string commit_event();

/// Asks for the answer that the provider would have begun by itself, had its connection lasted.
std::string response_event();

/// conversation.item.truncated, in the provider's place.
std::string truncated_event(const std::string& item_id, int content_index,
                            std::int64_t audio_end_ms, std::string_view event_id);

/// conversation.item.deleted and conversation.item.retrieved, likewise. `item` is its JSON.
std::string deleted_event(const std::string& item_id, std::string_view event_id);
std::string retrieved_event(std::string_view item, std::string_view event_id);

/// The shape in which the provider, and therefore the relay, reports a fault to a client.
struct ErrorEvent {
  std::string type = "invalid_request_error";
  std::string code;
  std::string message;
  std::string param;
  std::string client_event_id;
};
std::string to_json(const ErrorEvent& error, std::string_view event_id);

/// Extension events (the interface, section 2), sent only to clients that ask for them.
struct ResumeInfo {
  bool resumed = false;
  bool replayed = false;    ///< what was missed follows; else the conversation's items do
  std::uint64_t after = 0;  ///< the number of the message before this one
};
std::string session_event(const std::string& session_id, int attempt, std::int64_t resume_window_ms,
                          const ResumeInfo& resume = {});
std::string upstream_event(std::string_view state, std::string_view reason,
                           std::string_view event_id);
/// verbatim.upstream, restored: with what the provider has not of the conversation.
std::string restored_event(const Rebuild& rebuild, std::string_view event_id);
std::string turn_event(const Turn& turn, std::string_view event_id);
std::string ending_event(const std::string& session_id, CloseReason reason, std::int64_t in_ms,
                         std::string_view event_id);
/// verbatim.ending once more: of a limit that is near. Of a clock `in_ms` is told, of what is used
/// up `used` and `max`, in seconds or tokens.
std::string limit_event(const std::string& session_id, const Budget::Notice& near,
                        std::string_view event_id);
std::string ended_event(const std::string& session_id, CloseReason reason,
                        std::string_view event_id);

}  // namespace verbatim::session
