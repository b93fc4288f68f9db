// The session object of OpenAI's Realtime protocol, in the shapes of GA (nested) and beta (flat):
// what it says, and the messages that set or show it. docs/dialects.md compares the two.
//
// Pure; any thread. provider_dialect.hpp describes each function.
#pragma once

#include <optional>
#include <string>
#include <string_view>

#include "session/protocol/provider_dialect.hpp"

namespace verbatim::protocol {

std::string_view session_in(std::string_view message);
SessionFacts read_session(std::string_view session_json);
std::string with_session(std::string_view message, std::string_view session_json);
std::optional<std::string> without_transcription(std::string_view message);

std::string session_created_event(std::string_view session_json, std::string_view event_id);
/// session.update messages; empty if there is nothing to send.
std::string restoring_update(std::string_view session_json, std::string_view event_id);
std::string configuration_update(std::string_view session_json,
                                 std::string_view transcription_model, SessionType type,
                                 std::string_view event_id);
std::string transcription_update(std::string_view transcription_model, SessionType type,
                                 std::string_view event_id);

}  // namespace verbatim::protocol
