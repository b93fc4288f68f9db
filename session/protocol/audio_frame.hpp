// Binary audio frames for a client that asks for them: a third fewer bytes than Base64. A frame is
// another form of one event. The session, its message numbers and the provider only see events.
//
// From the client, a frame is the audio of one message (ProviderDialect::append_audio). To the
// client, it is one audio delta of a response:
//   2 bytes    length of the head, high byte first
//   the head   the event as JSON, without the member that holds the audio
//   the rest   the audio, in the session's output format
//
// Pure; any thread. Throws only if memory runs out.
#pragma once

#include <optional>
#include <string>
#include <string_view>

#include "session/protocol/provider_dialects.hpp"

namespace verbatim::protocol {

/// The frame for an event; nullopt if the event must be sent unchanged. That is any event but an
/// audio delta, and a delta whose audio is not Base64 or whose head exceeds 65,535 bytes.
/// `provider`: the client's and the provider's protocol.
std::optional<std::string> audio_frame(
    std::string_view event, const ProviderDialect& provider = default_provider_dialect());

/// Adds to a `verbatim.session` event that audio comes in frames; any other event stays unchanged.
std::string with_audio_frames(std::string session_event);

}  // namespace verbatim::protocol
