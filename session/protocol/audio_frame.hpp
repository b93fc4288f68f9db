// Audio without base 64, for a client that asks for it: a third less on its leg. A frame is another
// spelling of one event; the session, its numbering and the provider know events alone.
//
// Up, a frame is the bytes of one input_audio_buffer.append. Down, it is one response's audio
// delta:
//   2 bytes    how long the head is, the high byte first
//   the head   the event as JSON, without its `delta`
//   the rest   the audio, in the session's output format
//
// Pure; any thread. Never throws (but for memory).
#pragma once

#include <optional>
#include <string>
#include <string_view>

namespace verbatim::session {

/// The event that a client's frame stands for.
std::string append_event(std::string_view audio);

/// The frame for an event; nullopt if it is no audio delta, or one that a frame can not hold (its
/// audio is not base 64, its head over 65,535 bytes): such an event goes as it is.
std::optional<std::string> audio_frame(std::string_view event);

/// `verbatim.session` with the word that audio comes in frames; what is none stays as it is.
std::string with_audio_frames(std::string session_event);

}  // namespace verbatim::session
