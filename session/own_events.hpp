// What the relay says on its own account. To the provider: the configuration bound to a token, and
// input transcription, without which there is no user transcript. To the client: faults in the
// provider's shape, and the verbatim.* events that it asked for. Pure.
#pragma once

#include <cstdint>
#include <string>
#include <string_view>

#include "session/close_reason.hpp"
#include "session/turn.hpp"

namespace verbatim::session {

/// Prefix of the event_id of every event that the relay sends on its own account.
inline constexpr std::string_view own_event_prefix = "verbatim_";

/// A session.update that carries `config_json` (the `session` object of a client secret). If it
/// says nothing about input transcription and `transcription_model` is not empty, that is added.
/// Empty result: there is nothing to send. Precondition: config_json is empty or a JSON object.
std::string configuration_update(std::string_view config_json,
                                 std::string_view transcription_model);

/// A session.update that switches input transcription on and touches nothing else.
std::string transcription_update(std::string_view transcription_model);

/// What is said for a client that left in mid-speech, so that its last words are transcribed.
std::string commit_event();

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
std::string session_event(const std::string& session_id, int attempt, bool resumed,
                          std::int64_t resume_window_ms);
std::string turn_event(const Turn& turn, std::string_view event_id);
std::string ending_event(const std::string& session_id, CloseReason reason, std::int64_t in_ms,
                         std::string_view event_id);
std::string ended_event(const std::string& session_id, CloseReason reason,
                        std::string_view event_id);

}  // namespace verbatim::session
