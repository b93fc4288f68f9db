// Messages that the relay itself writes. To the provider: the configuration bound to a token, and a
// request for input transcription, without which there is no user transcript. To the client: errors
// in the provider's shape, and the verbatim.* events for a client that asked for them. Pure.
#pragma once

#include <cstdint>
#include <string>
#include <string_view>

#include "session/budget.hpp"
#include "session/rebuild.hpp"
#include "session/transcript/close_reason.hpp"
#include "session/transcript/turn.hpp"

namespace verbatim::session {

/// Prefix of the event_id of every event that the relay itself writes.
inline constexpr std::string_view own_event_prefix = "verbatim_";

/// Kind of provider session: `realtime` converses, `transcription` only transcribes speech.
enum class SessionType { realtime, transcription };

/// Values of event_id in the relay's own requests to the provider.
inline constexpr std::string_view configure_event_id = "verbatim_configure";
inline constexpr std::string_view transcription_event_id = "verbatim_transcription";
inline constexpr std::string_view commit_event_id = "verbatim_commit";
inline constexpr std::string_view response_event_id = "verbatim_response";
inline constexpr std::string_view rebuilt_item_prefix = "verbatim_rebuild:";
/// True if an error with this event_id answers the relay and not its client.
bool is_own_request(std::string_view event_id);

/// A session.update that carries `config_json`; empty if there is nothing to send.
///
/// Input transcription is added unless `config_json` already switches it on, because the transcript
/// needs it.
/// - `config_json`: the `session` object of a client secret. Precondition: empty or a JSON object.
/// - `transcription_model`: the model to add; empty: none is added.
/// - `type`: for a transcription session only its input and `include` are sent.
std::string configuration_update(std::string_view config_json, std::string_view transcription_model,
                                 SessionType type = SessionType::realtime);

/// True if a token's `session` object sets a field that a client can see.
bool binds_settings(std::string_view config_json);

/// A session.update that switches input transcription on and changes nothing else.
std::string transcription_update(std::string_view transcription_model,
                                 SessionType type = SessionType::realtime);

/// Commits the audio of a client that left in mid-speech, so that its last words are transcribed.
std::string commit_event();

/// Asks for the answer that the provider would have begun on the connection that was lost.
std::string response_event();

/// conversation.item.truncated, when the relay answers in the provider's place. Times in
/// milliseconds.
std::string truncated_event(const std::string& item_id, int content_index,
                            std::int64_t audio_end_ms, std::string_view event_id);

/// conversation.item.deleted and conversation.item.retrieved, likewise. `item` is its JSON.
std::string deleted_event(const std::string& item_id, std::string_view event_id);
std::string retrieved_event(std::string_view item, std::string_view event_id);

/// An error event in the provider's shape.
struct ErrorEvent {
  std::string type = "invalid_request_error";
  std::string code;
  std::string message;
  std::string param;
  std::string client_event_id;
};
std::string to_json(const ErrorEvent& error, std::string_view event_id);

/// The facts of a resume in a verbatim.session event. Extension events (the interface, section 2)
/// go only to clients that ask for them.
struct ResumeInfo {
  bool resumed = false;
  bool replayed = false;    ///< the missed messages follow; false: the conversation's items follow
  std::uint64_t after = 0;  ///< the number of the message before this one
};
std::string session_event(const std::string& session_id, int attempt, std::int64_t resume_window_ms,
                          const ResumeInfo& resume = {});
std::string upstream_event(std::string_view state, std::string_view reason,
                           std::string_view event_id);
/// verbatim.upstream, state `restored`: lists the items that the provider lacks.
std::string restored_event(const Rebuild& rebuild, std::string_view event_id);
std::string turn_event(const Turn& turn, std::string_view event_id);
std::string ending_event(const std::string& session_id, CloseReason reason, std::int64_t in_ms,
                         std::string_view event_id);
/// verbatim.ending for a limit that is near. A clock has `in_ms`; a budget has `used` and `max`, in
/// seconds or tokens.
std::string limit_event(const std::string& session_id, const Budget::Notice& near,
                        std::string_view event_id);
std::string ended_event(const std::string& session_id, CloseReason reason,
                        std::string_view event_id);

}  // namespace verbatim::session
