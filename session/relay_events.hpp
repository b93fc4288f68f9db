// The verbatim.* events, for a client that asked for them, and the event_ids of the relay's own
// messages. Messages in the provider's protocol are written by its dialect
// (session/protocol/provider_dialect.hpp). Pure.
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

/// Values of event_id in the relay's own requests to the provider.
inline constexpr std::string_view configure_event_id = "verbatim_configure";
inline constexpr std::string_view transcription_event_id = "verbatim_transcription";
inline constexpr std::string_view commit_event_id = "verbatim_commit";
inline constexpr std::string_view response_event_id = "verbatim_response";
inline constexpr std::string_view rebuilt_item_prefix = "verbatim_rebuild:";
/// True if an error with this event_id answers the relay and not its client.
bool is_own_request(std::string_view event_id);

/// True if a token's `session` object sets a field that a client can see.
bool binds_settings(std::string_view config_json);

/// The facts of a resume in a verbatim.session event. Extension events (docs/resume.md)
/// go only to clients that ask for them.
struct ResumeInfo {
  bool resumed = false;
  bool replayed = false;    ///< the missed messages follow; false: the conversation's items follow
  std::uint64_t after = 0;  ///< the number of the message before this one
};
/// `recording`: the conversation's audio is recorded.
std::string session_event(const std::string& session_id, int attempt, std::int64_t resume_window_ms,
                          const ResumeInfo& resume = {}, bool recording = false);
std::string upstream_event(std::string_view state, std::string_view reason,
                           std::string_view event_id);
/// verbatim.upstream, state `restored`: lists the items that the provider lacks.
std::string restored_event(const Rebuild& rebuild, std::string_view event_id);
std::string turn_event(const transcript::Turn& turn, std::string_view event_id);
std::string ending_event(const std::string& session_id, transcript::CloseReason reason,
                         std::int64_t in_ms, std::string_view event_id);
/// verbatim.ending for a limit that is near. A clock has `in_ms`; a budget has `used` and `max`, in
/// seconds or tokens.
std::string limit_event(const std::string& session_id, const Budget::Notice& near,
                        std::string_view event_id);
/// `detail`: the words of an operator who ended the session; left out if empty.
std::string ended_event(const std::string& session_id, transcript::CloseReason reason,
                        std::string_view event_id, std::string_view detail = {});

}  // namespace verbatim::session
